UPDATE {turn} SET {holder} = ?

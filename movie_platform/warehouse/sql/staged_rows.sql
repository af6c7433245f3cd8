SELECT {partition}, count(*) FROM {staged} GROUP BY {partition}

"""Amazon Redshift, provisioned or serverless, through AWS's own driver."""

from movie_platform.warehouse.redshift.warehouse import RedshiftWarehouse

__all__ = ["RedshiftWarehouse"]

variable "name" {
  description = "Name of everything that is made here; buckets add the account's number, since their names are worldwide."
  type        = string
  default     = "movie-platform"
}

variable "region" {
  description = "Region of everything that is made here."
  type        = string
  default     = "us-east-1"
}

variable "vpc_cidr" {
  description = "Addresses of the platform's own network."
  type        = string
  default     = "10.20.0.0/16"
}

variable "more_endpoints" {
  description = "Interface endpoints besides Glue's and CloudWatch's, for a network without a way to the internet: logs, sns, events, secretsmanager, kms, sts, emr-serverless, redshift-serverless. Each costs by the hour and zone."
  type        = set(string)
  default     = []
}

variable "alert_addresses" {
  description = "Mail addresses that hear of failures; each has to confirm a mail from AWS once."
  type        = set(string)
  default     = []
}

variable "client_principals" {
  description = "ARNs of who delivers into the raw bucket; they may assume the client's role. Without any the role is not made."
  type        = set(string)
  default     = []
}

variable "catalog_database" {
  description = "The Glue catalog's database: the setting MOVIE_PLATFORM_CATALOG_DATABASE."
  type        = string
  default     = "movies"
}

variable "redshift_base_capacity" {
  description = "Redshift Serverless in RPUs: 4 or 8 is the least, by region."
  type        = number
  default     = 8
}

variable "redshift_hours_a_day" {
  description = "RPU hours a day after which Redshift Serverless takes no more queries until the next day."
  type        = number
  default     = 32
}

variable "emr_release" {
  description = "A release of EMR Serverless with Spark 4.0, as in requirements.lock."
  type        = string
  default     = "emr-spark-8.0-preview"
}

variable "host_instance_type" {
  description = "The machine that runs deploy/compose.yaml; empty makes none (Kubernetes runs it)."
  type        = string
  default     = "m7i.large"
}

variable "notify_secrets" {
  description = "Names of channels of MOVIE_PLATFORM_NOTIFY=apprise:<name> whose addresses are kept in Secrets Manager."
  type        = set(string)
  default     = []
}

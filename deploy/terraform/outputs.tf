output "settings" {
  description = "The platform's settings, as deploy/platform.env takes them: terraform output -raw settings > deploy/platform.env"
  value       = <<-EOT
    MOVIE_PLATFORM_RAW_URI=s3://${aws_s3_bucket.raw.id}
    MOVIE_PLATFORM_LAKE_URI=s3://${aws_s3_bucket.lake.id}
    MOVIE_PLATFORM_WAREHOUSE=redshift://${aws_redshiftserverless_workgroup.platform.endpoint[0].address}:5439/${aws_redshiftserverless_namespace.platform.db_name}
    MOVIE_PLATFORM_REDSHIFT_IAM_ROLE=${aws_iam_role.redshift.arn}
    MOVIE_PLATFORM_CATALOG_DATABASE=${aws_glue_catalog_database.movies.name}
    MOVIE_PLATFORM_SPARK_ROLE=${aws_iam_role.spark.arn}
    MOVIE_PLATFORM_ARRIVALS=sqs:${aws_sqs_queue.arrivals.url}
    MOVIE_PLATFORM_UI_URI=http://localhost:8080
    MOVIE_PLATFORM_NOTIFY=log,events:${aws_cloudwatch_event_bus.platform.name}
  EOT
}

output "spark_application" {
  description = "For MOVIE_PLATFORM_ENGINE=spark:emr-serverless:<id>"
  value       = aws_emrserverless_application.spark.id
}

output "lake_bucket" {
  description = "For DAGSTER_COMPUTE_LOGS_BUCKET in deploy/.env"
  value       = aws_s3_bucket.lake.id
}

output "warehouse_secret" {
  description = "For MOVIE_PLATFORM_WAREHOUSE_SECRET, where the platform signs in by a password and not by IAM"
  value       = aws_secretsmanager_secret.platform["warehouse"].name
}

output "arrivals_queue" {
  description = "Where S3 announces what arrives in the raw bucket"
  value       = aws_sqs_queue.arrivals.url
}

output "alerts_topic" {
  description = "For sns:<arn> in MOVIE_PLATFORM_NOTIFY"
  value       = aws_sns_topic.alerts.arn
}

output "client_role" {
  description = "What a client assumes to deliver"
  value       = one(aws_iam_role.client[*].arn)
}

output "host" {
  description = "aws ssm start-session --target <this>"
  value       = one(aws_instance.host[*].id)
}

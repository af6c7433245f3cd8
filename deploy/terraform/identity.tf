# Who may do what. A test records the calls that the platform makes and compares them with the four policies below: an
# action that is missing fails it, and so does one that is granted without use. What AWS's services do by themselves on
# our behalf cannot be recorded; the test names those actions one by one.

# --- the client: delivers, and reads nothing

data "aws_iam_policy_document" "client" {
  statement {
    sid = "Deliver"
    actions = [
      "s3:PutObject", # a delivery is a put, or the parts of one
    ]
    resources = [
      for prefix in ["imdb_raw_data", "project-data", "input_data", "movie_review"] : "${aws_s3_bucket.raw.arn}/${prefix}/*"
    ]
  }

  statement {
    sid = "Encrypt"
    actions = [
      "kms:GenerateDataKey", # S3 encrypts what is put with the bucket's key
      "kms:Decrypt",         # S3 opens the data key for each further part of a large delivery
    ]
    resources = [aws_kms_key.platform.arn]
  }
}

data "aws_iam_policy_document" "client_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.client_principals
    }
  }
}

resource "aws_iam_role" "client" {
  count = length(var.client_principals) > 0 ? 1 : 0

  name               = "${var.name}-client"
  description        = "Delivers into the raw bucket"
  assume_role_policy = data.aws_iam_policy_document.client_trust.json
}

resource "aws_iam_role_policy" "client" {
  count = length(var.client_principals) > 0 ? 1 : 0

  name   = "deliver"
  role   = aws_iam_role.client[0].id
  policy = data.aws_iam_policy_document.client.json
}

# --- the platform: webserver, daemon, code server and runs

data "aws_iam_policy_document" "platform" {
  statement {
    sid = "ListBuckets"
    actions = [
      "s3:ListBucket", # sensors look for arrivals; without it a missing object reads as a refusal instead of as missing
    ]
    resources = [aws_s3_bucket.raw.arn, aws_s3_bucket.lake.arn]
  }

  statement {
    sid = "ReadDeliveries"
    actions = [
      "s3:GetObject", # deliveries are verified, archived and cleaned; the raw side is never written
    ]
    resources = ["${aws_s3_bucket.raw.arn}/*"]
  }

  statement {
    sid = "KeepTheLake"
    actions = [
      "s3:GetObject",            # archives, clean files, records of what was done; output of runs in the UI
      "s3:PutObject",            # everything that the platform makes; multipart uploads need no more
      "s3:DeleteObject",         # what a corrected delivery replaced, messages of Spark jobs that were read
      "s3:AbortMultipartUpload", # a large write that failed is taken back
    ]
    resources = ["${aws_s3_bucket.lake.arn}/*"]
  }

  statement {
    sid = "DescribeTheLake"
    actions = [
      "glue:GetTable",             # whether a table is described as its columns are now
      "glue:CreateDatabase",       # on first use, where it is not there
      "glue:CreateTable",          # on first use
      "glue:UpdateTable",          # a column more
      "glue:BatchCreatePartition", # a window more
      "glue:BatchGetPartition",    # where a window that is known already is said to be
      "glue:UpdatePartition",      # a window whose folder moved
    ]
    resources = [
      "arn:${local.partition}:glue:${var.region}:${local.account}:catalog",
      "arn:${local.partition}:glue:${var.region}:${local.account}:database/${var.catalog_database}",
      "arn:${local.partition}:glue:${var.region}:${local.account}:table/${var.catalog_database}/*",
    ]
  }

  statement {
    sid = "Notify"
    actions = [
      "sns:Publish",            # a notice for people
      "sns:GetTopicAttributes", # whether the topic is there: `movie-platform doctor`
    ]
    resources = [aws_sns_topic.alerts.arn]
  }

  statement {
    sid = "NotifyPrograms"
    actions = [
      "events:PutEvents",        # a notice for programs
      "events:DescribeEventBus", # whether the bus is there: `movie-platform doctor`
    ]
    resources = [aws_cloudwatch_event_bus.platform.arn]
  }

  statement {
    sid = "SendNumbers"
    actions = [
      "cloudwatch:PutMetricData", # what alarms look at: `movie-platform metrics --cloudwatch`
    ]
    resources = ["*"] # the call knows no resources, and is bound by its namespace

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.name]
    }
  }

  statement {
    sid = "HearOfArrivals"
    actions = [
      "sqs:ReceiveMessage",     # a sensor's tick waits for what S3 announces
      "sqs:DeleteMessage",      # when the tick's findings are stored
      "sqs:GetQueueAttributes", # whether the queue is there: `movie-platform doctor`
    ]
    resources = [aws_sqs_queue.arrivals.arn]
  }

  statement {
    sid = "ReadSecrets"
    actions = [
      "secretsmanager:GetSecretValue", # the warehouse's user and password, addresses of channels
    ]
    resources = [for secret in aws_secretsmanager_secret.platform : secret.arn]
  }

  statement {
    sid = "SignInToTheWarehouse"
    actions = [
      "redshift-serverless:GetCredentials", # a password for an hour, where no secret is named
    ]
    resources = [aws_redshiftserverless_workgroup.platform.arn]
  }

  statement {
    sid = "RunSpark"
    actions = [
      "emr-serverless:StartJobRun",    # a build or a classification
      "emr-serverless:GetApplication", # where the application puts its jobs' logs, said in the run
    ]
    resources = [aws_emrserverless_application.spark.arn]
  }

  statement {
    sid = "WatchSpark"
    actions = [
      "emr-serverless:GetJobRun",             # how it stands
      "emr-serverless:CancelJobRun",          # a run that is cancelled takes its job along
      "emr-serverless:GetDashboardForJobRun", # the link to Spark's own UI in the run's log
    ]
    resources = ["${aws_emrserverless_application.spark.arn}/jobruns/*"]
  }

  statement {
    sid = "LendSparkItsRole"
    actions = [
      "iam:PassRole", # StartJobRun names the role that the job runs as
    ]
    resources = [aws_iam_role.spark.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["emr-serverless.amazonaws.com"]
    }
  }

  statement {
    sid = "UseTheKey"
    actions = [
      "kms:GenerateDataKey", # S3, SNS and EventBridge encrypt what is handed to them
      "kms:Decrypt",         # S3, SQS and Secrets Manager open what they give back
    ]
    resources = [aws_kms_key.platform.arn]
  }
}

data "aws_iam_policy_document" "platform_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }

  # On EKS: Pod Identity lends the role to the service account of deploy/helm-values.yaml.
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "platform" {
  name               = "${var.name}-platform"
  description        = "Dagster and its runs"
  assume_role_policy = data.aws_iam_policy_document.platform_trust.json
}

resource "aws_iam_role_policy" "platform" {
  name   = "platform"
  role   = aws_iam_role.platform.id
  policy = data.aws_iam_policy_document.platform.json
}

# People reach the machine through Session Manager: no open port and no key.
resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.platform.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

# --- Redshift: COPY and Spectrum read the lake

data "aws_iam_policy_document" "redshift" {
  statement {
    sid = "ListTheLake"
    actions = [
      "s3:ListBucket",        # Spectrum lists the folders of partitions
      "s3:GetBucketLocation", # COPY asks for the bucket's region
    ]
    resources = [aws_s3_bucket.lake.arn]
  }

  statement {
    sid = "ReadTheLake"
    actions = [
      "s3:GetObject", # COPY reads the manifest and the files that it names
    ]
    resources = ["${aws_s3_bucket.lake.arn}/*"]
  }

  statement {
    sid = "ReadTheCatalog"
    actions = [
      "glue:GetDatabase",   # CREATE EXTERNAL SCHEMA
      "glue:GetTable",      # a query of an external table
      "glue:GetTables",     # svv_external_tables
      "glue:GetPartitions", # which windows a query reads
    ]
    resources = [
      "arn:${local.partition}:glue:${var.region}:${local.account}:catalog",
      "arn:${local.partition}:glue:${var.region}:${local.account}:database/${var.catalog_database}",
      "arn:${local.partition}:glue:${var.region}:${local.account}:table/${var.catalog_database}/*",
    ]
  }

  statement {
    sid = "UseTheKey"
    actions = [
      "kms:Decrypt", # S3 opens what COPY and Spectrum read
    ]
    resources = [aws_kms_key.platform.arn]
  }
}

data "aws_iam_policy_document" "redshift_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "redshift" {
  name               = "${var.name}-redshift"
  description        = "Redshift reads the lake"
  assume_role_policy = data.aws_iam_policy_document.redshift_trust.json
}

resource "aws_iam_role_policy" "redshift" {
  name   = "read-the-lake"
  role   = aws_iam_role.redshift.id
  policy = data.aws_iam_policy_document.redshift.json
}

# --- Spark on EMR Serverless: the setting MOVIE_PLATFORM_SPARK_ROLE

data "aws_iam_policy_document" "spark" {
  statement {
    sid = "FindDeliveries"
    actions = [
      "s3:ListBucket", # a day's delivery is looked for again before and after it is read
    ]
    resources = [aws_s3_bucket.raw.arn]
  }

  statement {
    sid = "ReadDeliveries"
    actions = [
      "s3:GetObject", # the data set's zip and the quality movies' files are read by the job
    ]
    resources = ["${aws_s3_bucket.raw.arn}/*"]
  }

  statement {
    sid = "ListTheLake"
    actions = [
      "s3:ListBucket", # the parts that executors wrote
    ]
    resources = [aws_s3_bucket.lake.arn]
  }

  statement {
    sid = "WorkInTheLake"
    actions = [
      "s3:GetObject",    # script, package, and what is read
      "s3:PutObject",    # what is built, messages back into the run, EMR's own logs
      "s3:DeleteObject", # work files when they are put together
    ]
    resources = ["${aws_s3_bucket.lake.arn}/*"]
  }

  statement {
    sid = "UseTheKey"
    actions = [
      "kms:GenerateDataKey", # S3 encrypts what is put
      "kms:Decrypt",         # S3 opens what is read
    ]
    resources = [aws_kms_key.platform.arn]
  }
}

data "aws_iam_policy_document" "spark_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["emr-serverless.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "spark" {
  name               = "${var.name}-spark"
  description        = "Jobs of EMR Serverless"
  assume_role_policy = data.aws_iam_policy_document.spark_trust.json
}

resource "aws_iam_role_policy" "spark" {
  name   = "work-in-the-lake"
  role   = aws_iam_role.spark.id
  policy = data.aws_iam_policy_document.spark.json
}

# --- the network's log

data "aws_iam_policy_document" "flow" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow.arn}:*"]
  }
}

data "aws_iam_policy_document" "flow_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "flow" {
  name               = "${var.name}-flow"
  description        = "The network writes its log"
  assume_role_policy = data.aws_iam_policy_document.flow_trust.json
}

resource "aws_iam_role_policy" "flow" {
  name   = "write-the-log"
  role   = aws_iam_role.flow.id
  policy = data.aws_iam_policy_document.flow.json
}

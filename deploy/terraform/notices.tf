# The platform puts its notices on a bus (MOVIE_PLATFORM_NOTIFY=events:<bus>), and rules say who hears what.
# With sns:<topic arn> beside it, the topic gets them as text for people, without a rule.
resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = aws_kms_key.platform.arn
}

resource "aws_sns_topic_subscription" "mail" {
  for_each = var.alert_addresses

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "RulesAndAlarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

resource "aws_cloudwatch_event_bus" "platform" {
  name               = var.name
  kms_key_identifier = aws_kms_key.platform.arn
}

# Everything that was said, to look up later.
resource "aws_cloudwatch_log_group" "notices" {
  name              = "/aws/events/${var.name}"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.platform.arn
}

resource "aws_cloudwatch_event_rule" "all" {
  name           = "${var.name}-all-notices"
  description    = "Every notice of the platform goes to the log"
  event_bus_name = aws_cloudwatch_event_bus.platform.name
  event_pattern  = jsonencode({ source = ["movie-platform"] })
}

resource "aws_cloudwatch_event_target" "log" {
  rule           = aws_cloudwatch_event_rule.all.name
  event_bus_name = aws_cloudwatch_event_bus.platform.name
  arn            = aws_cloudwatch_log_group.notices.arn
}

data "aws_iam_policy_document" "notices_log" {
  statement {
    sid       = "Rules"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.notices.arn}:*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "notices" {
  policy_name     = "${var.name}-notices"
  policy_document = data.aws_iam_policy_document.notices_log.json
}

resource "aws_cloudwatch_event_rule" "failed_runs" {
  name           = "${var.name}-failed-runs"
  description    = "A run failed"
  event_bus_name = aws_cloudwatch_event_bus.platform.name

  event_pattern = jsonencode({
    source        = ["movie-platform"]
    "detail-type" = ["Movie Platform Run Ended"]
    detail        = { state = ["FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "failed_runs" {
  rule           = aws_cloudwatch_event_rule.failed_runs.name
  event_bus_name = aws_cloudwatch_event_bus.platform.name
  arn            = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      reason     = "$.detail.reason"
      partitions = "$.detail.partitions"
      link       = "$.detail.link"
    }
    input_template = "\"A run failed for <partitions>: <reason>. Run: <link>\""
  }
}

resource "aws_cloudwatch_event_rule" "failed_evaluations" {
  name           = "${var.name}-failed-evaluations"
  description    = "A delivery broke rules"
  event_bus_name = aws_cloudwatch_event_bus.platform.name

  event_pattern = jsonencode({
    source        = ["movie-platform"]
    "detail-type" = ["Data Quality Evaluation Results Available"]
    detail        = { state = ["FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "failed_evaluations" {
  rule           = aws_cloudwatch_event_rule.failed_evaluations.name
  event_bus_name = aws_cloudwatch_event_bus.platform.name
  arn            = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      dataset = "$.detail.context.tableName"
      date    = "$.detail.context.evaluationContext"
      failed  = "$.detail.numRulesFailed"
      link    = "$.detail.context.link"
    }
    input_template = "\"<dataset> <date>: <failed> rules failed. Run: <link>\""
  }
}

# Also the end of a trouble: whoever heard of it hears that it is over.
resource "aws_cloudwatch_event_rule" "troubles" {
  name           = "${var.name}-troubles"
  description    = "A source is overdue, a sensor keeps failing, a daemon is silent or a load is owed, and when it is over"
  event_bus_name = aws_cloudwatch_event_bus.platform.name

  event_pattern = jsonencode({
    source        = ["movie-platform"]
    "detail-type" = ["Movie Platform Trouble"]
    detail        = { state = ["FAILED", "SUCCEEDED"] }
  })
}

resource "aws_cloudwatch_event_target" "troubles" {
  rule           = aws_cloudwatch_event_rule.troubles.name
  event_bus_name = aws_cloudwatch_event_bus.platform.name
  arn            = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      state   = "$.detail.state"
      trouble = "$.detail.trouble"
      name    = "$.detail.name"
      since   = "$.detail.since"
      reason  = "$.detail.reason"
      link    = "$.detail.link"
    }
    input_template = "\"<state>: <name> is <trouble> since <since>: <reason>. See <link>. SUCCEEDED means that it is over.\""
  }
}

resource "aws_cloudwatch_event_rule" "unreadable_rulesets" {
  name           = "${var.name}-unreadable-rulesets"
  description    = "Deliveries wait for a ruleset that cannot be read"
  event_bus_name = aws_cloudwatch_event_bus.platform.name

  event_pattern = jsonencode({
    source        = ["movie-platform"]
    "detail-type" = ["Movie Platform Ruleset Unreadable"]
    detail        = { state = ["FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "unreadable_rulesets" {
  rule           = aws_cloudwatch_event_rule.unreadable_rulesets.name
  event_bus_name = aws_cloudwatch_event_bus.platform.name
  arn            = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      dataset = "$.detail.dataset"
      reason  = "$.detail.reason"
    }
    input_template = "\"Deliveries of <dataset> wait: <reason>\""
  }
}

# AWS's own events come on the default bus.
resource "aws_cloudwatch_event_rule" "failed_spark_jobs" {
  name        = "${var.name}-failed-spark-jobs"
  description = "A job run of the EMR Serverless application failed"

  event_pattern = jsonencode({
    source        = ["aws.emr-serverless"]
    "detail-type" = ["EMR Serverless Job Run State Change"]
    detail        = { applicationId = [aws_emrserverless_application.spark.id], state = ["FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "failed_spark_jobs" {
  rule = aws_cloudwatch_event_rule.failed_spark_jobs.name
  arn  = aws_sns_topic.alerts.arn
}

# What nobody would hear of otherwise: the platform itself says how runs and evaluations ended (notices.tf).
locals {
  queue_alarms = {
    # An announcement that nobody received for an hour. The sensors find deliveries by listing all the same.
    arrivals-waiting = { queue = aws_sqs_queue.arrivals.name, metric = "ApproximateAgeOfOldestMessage", above = 3600 }
    arrivals-dead    = { queue = aws_sqs_queue.arrivals_dead.name, metric = "ApproximateNumberOfMessagesVisible", above = 0 }
  }
}

resource "aws_cloudwatch_metric_alarm" "queue" {
  for_each = local.queue_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "docs/operations.md: announcements of arrivals are not received"
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "rules" {
  for_each = toset([
    aws_cloudwatch_event_rule.all.name,
    aws_cloudwatch_event_rule.failed_runs.name,
    aws_cloudwatch_event_rule.failed_evaluations.name,
    aws_cloudwatch_event_rule.troubles.name,
    aws_cloudwatch_event_rule.unreadable_rulesets.name,
  ])

  alarm_name          = "${each.value}-not-delivered"
  alarm_description   = "docs/operations.md: a notice was not delivered"
  namespace           = "AWS/Events"
  metric_name         = "FailedInvocations"
  dimensions          = { EventBusName = aws_cloudwatch_event_bus.platform.name, RuleName = each.value }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "topic" {
  alarm_name          = "${var.name}-alerts-not-delivered"
  alarm_description   = "docs/operations.md: a notice was not delivered"
  namespace           = "AWS/SNS"
  metric_name         = "NumberOfNotificationsFailed"
  dimensions          = { TopicName = aws_sns_topic.alerts.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

# What `movie-platform metrics --cloudwatch` sends every five minutes: of each metric the worst of all sources.
locals {
  platform_alarms = {
    overdue                      = { than = "GreaterThan", limit = 0, times = 1, runbook = "a source is overdue" }
    owed_age_seconds             = { than = "GreaterThan", limit = 3600, times = 1, runbook = "a load is owed for more than an hour" }
    partitions_refused           = { than = "GreaterThan", limit = 0, times = 1, runbook = "a delivery was refused" }
    run_queue_age_seconds        = { than = "GreaterThan", limit = 1800, times = 1, runbook = "runs wait in the queue" }
    daemon_heartbeat_age_seconds = { than = "GreaterThan", limit = 600, times = 1, runbook = "a daemon has no heartbeat" }
    watch_age_seconds            = { than = "GreaterThan", limit = 1800, times = 1, runbook = "a daemon has no heartbeat" }
    readable                     = { than = "LessThan", limit = 1, times = 2, runbook = "numbers are missing or old" }
  }
}

resource "aws_cloudwatch_metric_alarm" "platform" {
  for_each = local.platform_alarms

  alarm_name          = "${var.name}-${replace(each.key, "_", "-")}"
  alarm_description   = "docs/operations.md: ${each.value.runbook}"
  namespace           = var.name
  metric_name         = each.key
  statistic           = each.value.than == "LessThan" ? "Minimum" : "Maximum"
  period              = 600
  evaluation_periods  = each.value.times
  comparison_operator = "${each.value.than}Threshold"
  threshold           = each.value.limit
  # Numbers that do not come any more are one alarm and not seven.
  treat_missing_data = each.key == "readable" ? "breaching" : "missing"
  alarm_actions      = [aws_sns_topic.alerts.arn]
  ok_actions         = [aws_sns_topic.alerts.arn]
}

# Every ten-minute window is loaded: a warehouse without a query for an hour is a platform that stands still.
resource "aws_cloudwatch_metric_alarm" "warehouse_silent" {
  alarm_name          = "${var.name}-warehouse-silent"
  alarm_description   = "docs/operations.md: nothing was loaded for an hour"
  namespace           = "AWS/Redshift-Serverless"
  metric_name         = "ComputeSeconds"
  dimensions          = { Workgroup = aws_redshiftserverless_workgroup.platform.workgroup_name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "LessThanOrEqualToThreshold"
  threshold           = 0
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "host" {
  count = length(aws_instance.host)

  alarm_name          = "${var.name}-host"
  alarm_description   = "docs/operations.md: the machine that runs Dagster does not answer"
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed"
  dimensions          = { InstanceId = aws_instance.host[0].id }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

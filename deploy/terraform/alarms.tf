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

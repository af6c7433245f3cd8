# What arrives in the raw bucket is announced here, at least once and in no order. A sensor's tick deletes a message when
# the next one begins, within 25 seconds: the time-out below is for a tick that is slow, and four days for a platform that
# is down. It finds what arrived meanwhile by listing all the same.
resource "aws_sqs_queue" "arrivals" {
  name                       = "${var.name}-arrivals"
  kms_master_key_id          = aws_kms_key.platform.arn
  receive_wait_time_seconds  = 20
  visibility_timeout_seconds = 300
  message_retention_seconds  = 345600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.arrivals_dead.arn
    maxReceiveCount     = 5
  })
}

# Announcements that were received five times and never deleted, as where the platform keeps dying (alarms.tf). One that
# the platform does not understand is not among them: the tick's log quotes it, and it is deleted.
resource "aws_sqs_queue" "arrivals_dead" {
  name                      = "${var.name}-arrivals-dead"
  kms_master_key_id         = aws_kms_key.platform.arn
  message_retention_seconds = 1209600
}

data "aws_iam_policy_document" "arrivals" {
  statement {
    sid       = "FromTheRawBucket"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.arrivals.arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_s3_bucket.raw.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_sqs_queue_policy" "arrivals" {
  queue_url = aws_sqs_queue.arrivals.id
  policy    = data.aws_iam_policy_document.arrivals.json
}

resource "aws_s3_bucket_notification" "raw" {
  bucket     = aws_s3_bucket.raw.id
  depends_on = [aws_sqs_queue_policy.arrivals]

  # One entry a prefix: S3 refuses overlapping ones, and what lies elsewhere belongs to no source.
  dynamic "queue" {
    for_each = toset(["imdb_raw_data/", "project-data/", "input_data/", "movie_review/"])

    content {
      queue_arn     = aws_sqs_queue.arrivals.arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.value
    }
  }
}

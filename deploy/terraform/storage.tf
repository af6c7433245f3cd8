# Two buckets: the sources deliver into the raw one, the platform reads it and writes the lake.
locals {
  buckets = {
    raw  = "${var.name}-raw-${local.account}"
    lake = "${var.name}-lake-${local.account}"
  }
}

resource "aws_s3_bucket" "raw" {
  # checkov:skip=CKV_AWS_18: who did what is CloudTrail's, by account and for all buckets
  # checkov:skip=CKV_AWS_144: versions are the way back from a mistake; a second region is a choice of its own
  bucket = local.buckets.raw

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "lake" {
  # checkov:skip=CKV_AWS_18: who did what is CloudTrail's, by account and for all buckets
  # checkov:skip=CKV_AWS_144: versions are the way back from a mistake; a second region is a choice of its own
  # checkov:skip=CKV2_AWS_62: nobody waits for what the platform itself writes
  bucket = local.buckets.lake

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "raw" {
  bucket = aws_s3_bucket.raw.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "raw" {
  bucket = aws_s3_bucket.raw.id

  rule {
    # One request to KMS for many objects instead of one for each.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.platform.arn
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.platform.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "raw" {
  bucket                  = aws_s3_bucket.raw.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_public_access_block" "lake" {
  bucket                  = aws_s3_bucket.lake.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "raw" {
  bucket = aws_s3_bucket.raw.id

  rule {
    # What another account delivers belongs to this one, so that the platform may read it.
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Objects are small, some kilobytes a window: colder classes charge 128 KB for each, and would cost more than they save.
resource "aws_s3_bucket_lifecycle_configuration" "raw" {
  bucket     = aws_s3_bucket.raw.id
  depends_on = [aws_s3_bucket_versioning.raw]

  rule {
    id     = "uploads-that-were-cut-off"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  rule {
    id     = "replaced-deliveries"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket     = aws_s3_bucket.lake.id
  depends_on = [aws_s3_bucket_versioning.lake]

  # The platform leaves the parts of a write that was killed to this rule: nobody can read them.
  rule {
    id     = "uploads-that-were-cut-off"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # The way back from a mistake: docs/operations.md restores from these versions.
  rule {
    id     = "replaced-objects"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  rule {
    id     = "output-of-runs"
    status = "Enabled"

    filter {
      prefix = "compute-logs/"
    }

    expiration {
      days = 90
    }
  }

  rule {
    id     = "logs-of-spark"
    status = "Enabled"

    filter {
      prefix = "scripts/logs/"
    }

    expiration {
      days = 30
    }
  }
}

data "aws_iam_policy_document" "only_encrypted_connections" {
  for_each = local.buckets

  statement {
    sid     = "OnlyEncryptedConnections"
    effect  = "Deny"
    actions = ["s3:*"]
    resources = [
      "arn:${local.partition}:s3:::${each.value}",
      "arn:${local.partition}:s3:::${each.value}/*",
    ]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "raw" {
  bucket = aws_s3_bucket.raw.id
  policy = data.aws_iam_policy_document.only_encrypted_connections["raw"].json
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = aws_s3_bucket.lake.id
  policy = data.aws_iam_policy_document.only_encrypted_connections["lake"].json
}

resource "aws_glue_catalog_database" "movies" {
  name         = var.catalog_database
  location_uri = "s3://${aws_s3_bucket.lake.id}/"
}

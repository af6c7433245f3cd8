# Places for secrets. Their values are put by hand (aws secretsmanager put-secret-value), so that no state holds them.
locals {
  secrets = merge(
    {
      # {"username": ..., "password": ...}: the setting MOVIE_PLATFORM_WAREHOUSE_SECRET
      warehouse = "the platform's user in the warehouse"
    },
    # The address of a channel: the setting MOVIE_PLATFORM_NOTIFY_URL_<NAME>=secret:<name>
    { for name in var.notify_secrets : "notify-${name}" => "the address of the channel ${name}" },
  )
}

resource "aws_secretsmanager_secret" "platform" {
  # checkov:skip=CKV2_AWS_57: values are put by hand, and rotated as docs/operations.md says
  for_each = local.secrets

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = aws_kms_key.platform.arn
  recovery_window_in_days = 30
}

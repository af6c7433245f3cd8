resource "aws_redshiftserverless_namespace" "platform" {
  namespace_name = var.name
  db_name        = "movies"
  kms_key_id     = aws_kms_key.platform.arn
  # Redshift keeps and rotates the administrator's password in Secrets Manager; the platform does not use it.
  manage_admin_password = true
  iam_roles             = [aws_iam_role.redshift.arn]
  default_iam_role_arn  = aws_iam_role.redshift.arn
  log_exports           = ["userlog", "connectionlog", "useractivitylog"]
}

resource "aws_redshiftserverless_workgroup" "platform" {
  workgroup_name       = var.name
  namespace_name       = aws_redshiftserverless_namespace.platform.namespace_name
  base_capacity        = var.redshift_base_capacity
  enhanced_vpc_routing = true
  publicly_accessible  = false
  subnet_ids           = aws_subnet.private[*].id
  security_group_ids   = [aws_security_group.warehouse.id]

  config_parameter {
    parameter_key   = "require_ssl"
    parameter_value = "true"
  }
}

# A query that runs away, or a dashboard that asks every second, costs no more than this in a day.
resource "aws_redshiftserverless_usage_limit" "daily" {
  resource_arn  = aws_redshiftserverless_workgroup.platform.arn
  usage_type    = "serverless-compute"
  period        = "daily"
  amount        = var.redshift_hours_a_day
  breach_action = "deactivate"
}

# The setting MOVIE_PLATFORM_ENGINE=spark:emr-serverless:<id>. It costs nothing while no job runs.
resource "aws_emrserverless_application" "spark" {
  name          = var.name
  release_label = var.emr_release
  type          = "spark"
  architecture  = "X86_64"

  maximum_capacity {
    cpu    = "32 vCPU"
    memory = "128 GB"
  }

  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = 5
  }

  network_configuration {
    subnet_ids         = aws_subnet.private[*].id
    security_group_ids = [aws_security_group.spark.id]
  }
}

data "aws_ssm_parameter" "image" {
  # Ubuntu has Docker's compose and buildx as packages, and the agent of Session Manager.
  name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
}

# The machine that runs deploy/compose.yaml. Nothing of the data is on it but Dagster's database, which its volume holds.
resource "aws_instance" "host" {
  # checkov:skip=CKV_AWS_88: its group lets nothing in, and a public address costs a tenth of a NAT gateway
  count = var.host_instance_type == "" ? 0 : 1

  ami                         = data.aws_ssm_parameter.image.value
  instance_type               = var.host_instance_type
  subnet_id                   = aws_subnet.public.id
  vpc_security_group_ids      = [aws_security_group.host.id]
  iam_instance_profile        = aws_iam_instance_profile.platform.name
  associate_public_ip_address = true
  ebs_optimized               = true
  monitoring                  = true

  # Containers reach the role's credentials over one hop more.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  root_block_device {
    volume_size = 60
    volume_type = "gp3"
    encrypted   = true
    kms_key_id  = aws_kms_key.platform.arn
  }

  user_data = <<-EOT
    #!/bin/bash
    set -euxo pipefail
    apt-get update
    apt-get install --yes docker.io docker-compose-v2 docker-buildx git
  EOT

  lifecycle {
    # A newer image does not replace a running machine: docs/operations.md says how it is renewed.
    ignore_changes = [ami, user_data]
  }

  tags = { Name = var.name }
}

resource "aws_iam_instance_profile" "platform" {
  name = "${var.name}-platform"
  role = aws_iam_role.platform.name
}

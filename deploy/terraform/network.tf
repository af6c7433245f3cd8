# Three private subnets, since Redshift Serverless asks for three zones, and one public subnet for the machine that runs
# Dagster. The private ones have no way to the internet: AWS's services are reached through endpoints.
data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: only the first three names are used, and new zones get later letters
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones = slice(data.aws_availability_zones.available.names, 0, 3)
}

resource "aws_vpc" "platform" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# Nothing uses the group that every network comes with; without rules it cannot be used by mistake.
resource "aws_default_security_group" "unused" {
  vpc_id = aws_vpc.platform.id
}

resource "aws_subnet" "private" {
  count = 3

  vpc_id            = aws_vpc.platform.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, count.index)

  tags = { Name = "${var.name}-private-${local.zones[count.index]}" }
}

resource "aws_subnet" "public" {
  vpc_id            = aws_vpc.platform.id
  availability_zone = local.zones[0]
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, 8)

  tags = { Name = "${var.name}-public" }
}

resource "aws_internet_gateway" "platform" {
  vpc_id = aws_vpc.platform.id
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.platform.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.platform.id
  }
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.platform.id
}

resource "aws_route_table_association" "private" {
  count = 3

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

# Free, and the way by which COPY and Spark read the lake.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.platform.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id, aws_route_table.public.id]
}

# Glue for Redshift Spectrum and Spark's catalog, monitoring for metrics; each in one zone, which all others reach.
resource "aws_vpc_endpoint" "interface" {
  for_each = setunion(["glue", "monitoring"], var.more_endpoints)

  vpc_id              = aws_vpc.platform.id
  service_name        = "com.amazonaws.${var.region}.${each.value}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [aws_subnet.private[0].id]
  security_group_ids  = [aws_security_group.endpoints.id]
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "AWS services, reached from within the network"
  vpc_id      = aws_vpc.platform.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from the network"
  cidr_ipv4         = var.vpc_cidr
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}

resource "aws_security_group" "host" {
  name        = "${var.name}-host"
  description = "The machine that runs Dagster: nothing comes in, people reach it through Session Manager"
  vpc_id      = aws_vpc.platform.id
}

resource "aws_vpc_security_group_egress_rule" "host_web" {
  security_group_id = aws_security_group.host.id
  description       = "AWS's services, and what the image is built from"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "host_packages" {
  security_group_id = aws_security_group.host.id
  description       = "Debian's and Ubuntu's packages, which are signed"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 80
  to_port           = 80
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "host_warehouse" {
  security_group_id            = aws_security_group.host.id
  description                  = "Redshift"
  referenced_security_group_id = aws_security_group.warehouse.id
  from_port                    = 5439
  to_port                      = 5439
  ip_protocol                  = "tcp"
}

resource "aws_security_group" "warehouse" {
  name        = "${var.name}-warehouse"
  description = "Redshift Serverless: the platform's machine comes in"
  vpc_id      = aws_vpc.platform.id
}

resource "aws_vpc_security_group_ingress_rule" "warehouse" {
  security_group_id            = aws_security_group.warehouse.id
  description                  = "The platform's machine"
  referenced_security_group_id = aws_security_group.host.id
  from_port                    = 5439
  to_port                      = 5439
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "warehouse" {
  security_group_id = aws_security_group.warehouse.id
  description       = "S3 and Glue through their endpoints"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}

resource "aws_security_group" "spark" {
  # checkov:skip=CKV2_AWS_5: the EMR Serverless application uses it, which the check does not know
  name        = "${var.name}-spark"
  description = "EMR Serverless: nothing comes in"
  vpc_id      = aws_vpc.platform.id
}

resource "aws_vpc_security_group_egress_rule" "spark" {
  security_group_id = aws_security_group.spark.id
  description       = "S3 and Glue through their endpoints"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}

# Who spoke with whom, for the day on which somebody asks.
resource "aws_flow_log" "platform" {
  vpc_id                   = aws_vpc.platform.id
  traffic_type             = "REJECT"
  log_destination          = aws_cloudwatch_log_group.flow.arn
  iam_role_arn             = aws_iam_role.flow.arn
  max_aggregation_interval = 600
}

resource "aws_cloudwatch_log_group" "flow" {
  name              = "/aws/vpc/${var.name}"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.platform.arn
}

#!/usr/bin/env bash
# Two roles: the owner migrates, the app runs the service and owns no right to change the ledger.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -v owner="$POSTGRES_PASSWORD" -v app="$POSTGRES_APP_PASSWORD" --username postgres <<'SQL'
CREATE ROLE countersign_owner LOGIN PASSWORD :'owner';
CREATE ROLE countersign_app LOGIN PASSWORD :'app';
CREATE DATABASE countersign OWNER countersign_owner;
SQL

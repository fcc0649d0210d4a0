"""Dashboards as code: definitions, their linter, the Metabase provisioner and the export that the site draws from."""

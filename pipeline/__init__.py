"""The container that fills the warehouse: roles and databases, then generate -> load -> dbt build -> forecast."""

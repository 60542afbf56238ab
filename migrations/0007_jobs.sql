-- Which tenants have had jobs: an operator's lists ask their objects. The jobs themselves lie there.
CREATE TABLE job_tenants (
  tenant TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;

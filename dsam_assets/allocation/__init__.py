"""Budget allocation: from posterior draws and response shapes to a plan with a certificate.

`from_config.problem_from_config` → `allocate.allocate` → `summary.allocation_tables`.
"""

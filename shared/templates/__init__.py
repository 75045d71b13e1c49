"""Mail templates of tenants: what they may say, how they are filled in, and the one that comes with the product."""

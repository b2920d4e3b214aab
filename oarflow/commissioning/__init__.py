"""Which networks are commissioned at a site, by the site's own records."""

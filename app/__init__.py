"""The MONAI Deploy application: graph, settings, command line, exit statuses."""

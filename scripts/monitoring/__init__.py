"""The dashboards and alerts of deploy/k8s/monitoring, made from one place each."""

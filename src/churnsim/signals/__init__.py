"""What the operator can see: features and churn risk."""

"""How does MLflow track to fleetlog? Its tracking store and artifact repository. Nothing else here imports mlflow."""

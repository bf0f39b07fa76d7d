"""MLflow's stores: folders of files, databases, and servers by their REST. None of it imports mlflow."""

"""Making the models of model_repository/ from their sources; never needed to run them."""

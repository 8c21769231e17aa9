"""How `FERClassifier` trains a network, through skorch.

``data`` gives batches, ``module`` is what is trained, ``net`` is the skorch net,
``callbacks`` are notified during the training, ``checkpoint`` stores its state, and
``prediction`` is what the fitted module is used with.
"""

"""A model as one ONNX file: the graph in operators of ONNX, weights, and what its users need as metadata.

Never runs the graph.
"""

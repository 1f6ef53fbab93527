"""Store a network's weights in half precision (`python halve.py IN.onnx OUT.onnx`; needs the package onnx).

Every large tensor becomes float16 behind a Cast to float32, which the runtime folds away when it loads: the file is
half as large and runs as before. The networks here were published with float16 values, so their outputs do not change.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SMALL = 64  # elements; not worth a node


def halve(model: onnx.ModelProto) -> None:
    graph = model.graph
    for tensor in [t for t in graph.initializer if t.data_type == TensorProto.FLOAT and np.prod(t.dims or [1]) > _SMALL]:
        half = numpy_helper.to_array(tensor).astype(np.float16)
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(half, f"{tensor.name}_half"))
        cast = helper.make_node("Cast", [f"{tensor.name}_half"], [tensor.name], to=TensorProto.FLOAT)
        graph.node.insert(0, cast)


if __name__ == "__main__":
    network = onnx.load(sys.argv[1])
    halve(network)
    onnx.save(network, sys.argv[2])

"""``fer-sklearn inspect``: what is inside a model file, without torch."""

import json
import sys
import textwrap

from .._model_format import find_model, read_model_metadata


def run(args):
    """Print the metadata of a model file.

    Parameters
    ----------
    args : argparse.Namespace
        With `model` and `json`.

    Returns
    -------
    status : int
        0.
    """
    path = find_model(args.model)
    metadata = read_model_metadata(path)
    if args.json:
        json.dump(metadata, sys.stdout, indent=2)
        print()
    else:
        print(describe(path, metadata))
    return 0


def describe(path, metadata):
    """Format the metadata for reading."""
    network, (height, width) = metadata["network"], metadata["image_shape"]
    own = " (not of this package)" if network["custom"] else ""
    lines = {
        "file": f"{path}, {path.stat().st_size / 1e6:.2f} MB",
        "network": f"{network['name']}{own}, {network['n_parameters']:,} parameters "
        f"in {metadata['weights_dtype']}",
        "faces": f"{height}x{width} pixels",
        "classes": _describe_classes(metadata),
        "temperature": f"{metadata['temperature']:.3f}",
        "training": _describe_training(metadata),
        "versions": ", ".join(f"{k} {v}" for k, v in metadata["versions"].items()),
    }
    for step in metadata["steps"]:
        lines[step["name"]] = _describe_step(step)
    indent = max(map(len, lines)) + 2
    return "\n".join(
        textwrap.fill(
            f"{name:<{indent}}{text}",
            width=88,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, text in lines.items()
    )


def _describe_classes(metadata):
    values, names = metadata["classes"]["values"], metadata["class_names"]
    # Labels that are strings may hold control characters; names do not.
    if isinstance(values[0], str) or names == list(map(str, values)):
        return ", ".join(names)
    return ", ".join(f"{v} {name}" for v, name in zip(values, names, strict=True))


def last_validation_accuracy(metadata):
    """Return the validation accuracy of the last epoch, or None."""
    history = metadata["training"]["history"]
    return history[-1].get("valid_accuracy") if history else None


def _describe_training(metadata):
    training = metadata["training"]
    text = f"{training['n_iter']} epochs, ended by {training['stop_reason']}"
    accuracy = last_validation_accuracy(metadata)
    if accuracy is not None:
        text += f", last validation accuracy {accuracy:.3f}"
    return text


def _describe_step(step):
    params = ", ".join(f"{k}={_unpack(v)!r}" for k, v in step["params"].items())
    return f"{step['type']}({params})"


def _unpack(value):
    """Turn {"tuple": [16, 16]}, as model files write tuples, into (16, 16)."""
    if isinstance(value, dict) and isinstance(value.get("tuple"), list):
        return tuple(map(_unpack, value["tuple"]))
    return value

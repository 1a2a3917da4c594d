"""Which assignments of a cell are parameters, and which cells papermill wrote."""

from __future__ import annotations

import math

import pytest

from tracknb.capture.literals import bound_names, injected, parameters


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("lr = 0.1", {"lr": 0.1}),
        ("depth = -3; scale = +1.5", {"depth": -3, "scale": 1.5}),
        ("model = 'forest'  # or ridge", {"model": "forest"}),
        ("warm = True\nseed = None", {"warm": True, "seed": None}),
        ("layers = [64, 32]\nshape = (2, 3)", {"layers": [64, 32], "shape": (2, 3)}),
        ("settings = {'lr': 0.1, 'sub': [1, None]}", {"settings": {"lr": 0.1, "sub": [1, None]}}),
        ("lr: float = 0.1\ndepth: int", {"lr": 0.1}),
        ("lr, (depth, width) = 0.1, (3, 4)", {"lr": 0.1, "depth": 3, "width": 4}),
        ("a = b = 7", {"a": 7, "b": 7}),
        ("size = 640_000\nrate = 1e-3", {"size": 640_000, "rate": 1e-3}),
        ("def f():\n    lr = 5\nlr = 1", {"lr": 1}),
        ("lr = 1\nsquares = [lr for lr in range(3)]", {"lr": 1}),
        ("lr = 1\nawait train(lr)", {"lr": 1}),
    ],
)
def test_what_is_assigned_literally_is_a_parameter(code, found):
    assert parameters(code) == found


@pytest.mark.parametrize(
    "code",
    [
        "lr = 0.1\nlr = 0.2",
        "lr = 0.1\nlr += 1",
        "lr = 0.1\ndel lr",
        "for lr in (1, 2): pass",
        "for _ in range(3):\n    lr = 0.1",
        "if fast:\n    lr = 0.1",
        "lr = 0.1\nif fast:\n    lr = 1",
        "with open('x') as lr: pass\nlr = 1",
        "import lr\nlr = 1",
        "from rates import lr\nlr = 1",
        "lr = 1\ndef lr(): pass",
        "lr = 1\nclass lr: pass",
        "lr = 1\ndef f():\n    global lr\n    lr = 2",
        "lr = 1\nprint(lr := 2)",
        "lr = 1\nx = [lr := n for n in y]",
        "lr = 1\ntry:\n    pass\nexcept OSError as lr: pass",
        "lr = 1\nmatch y:\n    case [lr]: pass",
        "lr = rate()",
        "lr = 2 * 3",
        "lr = other",
        "lr = b'0.1'",
        "lr = 1j",
        "lr = ...",
        "lr = f'{x}'",
        "config.lr = 0.1\nconfig['lr'] = 0.1",
        "config.lr = 0.1\nlr = rate()",
        "lr, *rest = 1, 2, 3",
        "_lr = 0.1",
        "lr = = 0.1",
    ],
)
def test_anything_else_is_none(code):
    assert "lr" not in parameters(code)
    assert parameters(f"{code}\nother_name = 1").get("other_name") == (1 if "= =" not in code else None)


def test_names_that_code_binds_are_known_whatever_binds_them():
    code = "import os.path as p, sys\nfor i in x:\n    y = i\nwith a as b: pass\ndef f(): z = 1"

    assert bound_names(code) == {"p", "sys", "i", "y", "b", "f"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('# Parameters\nlr = 0.1\nmodel = "forest"\n', {"lr": 0.1, "model": "forest"}),
        ('# Parameters\nsettings = {"lr": [1, None]}\nfast = True\n', {"settings": {"lr": [1, None]}, "fast": True}),
        ("# Parameters\n", {}),
        ("# Parameters of the model\nlr = 0.1", {}),
        ("# Parameters\nlr = rate()\n", {}),
        ("# Parameters\nlr = 0.1\ntrain(lr)\n", {}),
        ("lr = 0.1", {}),
    ],
)
def test_a_cell_of_papermill_is_its_comment_and_literals(source, found):
    assert injected(source) == found


def test_papermills_numbers_that_are_none_are_read():
    found = injected("# Parameters\na = float('nan')\nb = float('-inf')\n")

    assert math.isnan(found["a"])
    assert found["b"] == -math.inf

"""Hot loops are vectorised: read off the compiled code, so that no timing can blur it."""

from __future__ import annotations

import re
from types import FunctionType

import numba
import numpy as np
import pytest
from llvmlite import binding
from small_world import small_world

from churnsim.core import draws, smooth
from churnsim.lifecycle import hazards, leaving, treatment
from churnsim.lifecycle.drivers import billing, service, shopping, usage

pytestmark = pytest.mark.skipif(
    not binding.get_host_cpu_features().get("avx2", False),
    reason="the processor has no AVX2: its compiler may rightly keep some of these loops scalar")

IDS, WORDS = numba.int64[::1], numba.uint32[::1]
COUNTER = (numba.int64,) * 4
# The module that calls a kernel (None: compiled code does), what it multiplies, and how often in its vector loops.
KERNELS = {
    "_fill_lanes": (draws, "i64", 3 * 18),  # a loop each for two, three and four lanes
    "_fill_double": (draws, "i64", 18),
    "fill_high_words": (None, "i64", 18),
    "_exp_into": (smooth, "float", 8),
    "_move": (usage, "float", 25),
    "_use": (usage, "float", 40),
    "_serve": (service, "float", 28),
    "_look": (shopping, "float", 10),
    "_leave_traces": (shopping, "float", 12),
    "_add": (hazards, "float", 4),
    "_exponential": (hazards, "float", 8),
    "survive": (leaving, "double", 30),
    "_shock": (usage, "float", 12),
    "_charge": (billing, "float", 3),
    "_fade": (treatment, "float", 14),
    "fire": (leaving, "float", 2),
}


@pytest.fixture(scope="module")
def calls():
    """The types of arguments that the lifecycle gives to each kernel in a month, and the kernels."""
    found = {"fill_high_words": (draws.fill_high_words, (IDS, *COUNTER, WORDS))}

    def recorded(name, kernel):
        def call(*arguments):
            found[name] = kernel, tuple(numba.typeof(argument) for argument in arguments)
            return kernel(*arguments)
        return call

    with pytest.MonkeyPatch.context() as patch:
        for name, (module, _, _) in KERNELS.items():
            if module is not None:
                patch.setattr(module, name, recorded(name, getattr(module, name)))
        world = small_world()
        world.engine.run([(world.population(), None)], start=0, months=1)
        draws.uniform(world.key, usage.NOISE, np.arange(5))
    return found


def multiplications(function, types):
    """Compile a Python function anew; return how often its optimised code multiplies, by type of what is multiplied."""
    compiled = numba.njit(function, nogil=True, error_model="numpy")
    compiled.compile(types)
    code = compiled.inspect_llvm(compiled.signatures[0])
    counts: dict[str, int] = {}
    for what in re.findall(r"= f?mul (?:[a-z]+ )*(<\d+ x \w+>|\w+) ", code):
        counts[what] = counts.get(what, 0) + 1
    return counts


def vectorised(counts, kind):
    """Return the multiplications of whole vectors of a kind, of the width that is used most."""
    return max((count for what, count in counts.items() if re.fullmatch(rf"<\d+ x {kind}>", what)), default=0)


@pytest.mark.parametrize("name", KERNELS)
def test_a_hot_loop_multiplies_vectors(name, calls):
    kernel, types = calls[name]
    _, kind, needed = KERNELS[name]
    counts = multiplications(kernel.py_func, types)
    assert vectorised(counts, kind) >= needed, counts


@pytest.mark.parametrize("name", KERNELS)
def test_what_a_hot_loop_gets_is_contiguous(name, calls):
    """A slice of a wider array would lose the vectors without a word."""
    _, types = calls[name]
    assert {kind.layout for kind in types if isinstance(kind, numba.types.Array)} == {"C"}


@pytest.mark.parametrize("name", ["_fill_lanes", "_fill_double", "fill_high_words"])
def test_a_loop_that_calls_a_function_is_found_out(name, calls):
    """Ten rounds are too long for the compiler to inline by itself: nothing would be vectorised."""
    kernel, types = calls[name]
    function = kernel.py_func
    called = numba.njit(draws.philox.py_func, error_model="numpy")
    planted = FunctionType(function.__code__, {**function.__globals__, "philox": called}, "planted")
    counts = multiplications(planted, types)
    assert counts["i64"] >= 1
    assert vectorised(counts, "i64") == 0

"""Training with several workers: who is who, the same numbers, and faults."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import TINY_REGIONS

from tfdivcolor.models import storage
from training import checkpoints, configs, loop, strategies, synthetic
from training.train import main

# --- TF_CONFIG -------------------------------------------------------------


def cluster(addresses, index, kind="worker"):
    return {"cluster": {"worker": addresses},
            "task": {"type": kind, "index": index}}


def test_addresses_and_index():
    addresses = ["10.0.0.1:2222", "gpu-2.local:2222", "[::1]:2222"]
    assert strategies.read_cluster(json.dumps(cluster(addresses, 2))) == (
        addresses, 2)


WRONG = [
    "", "{", "[]", "{}", {"cluster": {"worker": ["a:1"]}},
    cluster([], 0), cluster("a:1", 0), cluster(["a", "b:1"], 0),
    cluster(["a:1", "a:1"], 0), cluster(["a:1", 5], 0), cluster(["a:1"], 1),
    cluster(["a:1"], -1), cluster(["a:1"], "0"), cluster(["a:1"], 0, "chief"),
    {"cluster": {"worker": ["a:1"], "ps": ["b:1"]},
     "task": {"type": "worker", "index": 0}}]


@pytest.mark.parametrize("config", WRONG, ids=str)
def test_a_wrong_tf_config_is_one_line(config, tmp_path, monkeypatch, capsys):
    text = config if isinstance(config, str) else json.dumps(config)
    monkeypatch.setenv("TF_CONFIG", text)
    assert main(["--config", "smoke", "--strategy", "multiworker",
                 "--workdir", str(tmp_path / "run")]) == 1
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith("training: TF_CONFIG: must be JSON with cluster.wor")
    assert f"(received {text!r})" in line
    assert not (tmp_path / "run").exists()


def test_no_tf_config(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert main(["--config", "smoke", "--strategy", "multiworker"]) == 1
    assert "TF_CONFIG: must be JSON" in capsys.readouterr().err


# --- Agreement -------------------------------------------------------------


def test_one_process_agrees_with_itself():
    workers = strategies.Workers(strategies.make("none"))
    assert (workers.index, workers.count, workers.chief) == (0, 1, True)
    assert workers.gather(7) == [7]
    assert workers.any(True, False) == [True, False]
    with pytest.raises(OSError, match="disk"), workers.together():
        raise OSError("disk full")


def test_a_batch_that_replicas_do_not_divide():
    with pytest.raises(ValueError, match="batch_size must be a multiple of 3 "
                       r"replicas times accumulate=2 \(received 8\)"):
        loop._check_batch(configs.get("smoke", ["accumulate=2"]), 3)
    loop._check_batch(configs.get("smoke", ["accumulate=2"]), 4)


def test_a_folder_of_its_own_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be one folder that all workers"):
        checkpoints.claim(tmp_path, configs.get("smoke"), "abc", make=False)


# --- Two processes ---------------------------------------------------------

# One worker: the command itself, with its weights kept at the end, and a
# signal to itself after a step if asked to.
WORKER = """
import dataclasses, os, signal, sys
import numpy as np
from training import configs, loop, train
stages, kept, action, at, *arguments = sys.argv[1:]
configs.CONFIGS["smoke"] = dataclasses.replace(
    configs.get("smoke"), stages=tuple(
        configs.Stage(name, 2) for name in stages.split(",")))
train_stage, add_terms = loop.train_stage, loop.add_terms
def train_and_keep(run, index, stage):
    terms = train_stage(run, index, stage)
    np.savez(kept, *[v.numpy() for v in run.colorizer.variables])
    return terms
def add_and_act(sums, means, name, step):
    add_terms(sums, means, name, step)
    if action and step == int(at):
        os.kill(os.getpid(), getattr(signal, action))
loop.train_stage, loop.add_terms = train_and_keep, add_and_act
sys.exit(train.main(["--config", "smoke", *arguments]))
"""


class Run:
    """Processes of one run: their exit codes, what they said, their times.

    Args:
        kept: path of a folder for the weights of each.
        stages: str, "vae,joint".
        workdirs: list of a path a worker.
        arguments: list of str.
        actions: dict from a worker's index to (signal, step).
    """

    def __init__(self, kept, stages, workdirs, arguments, actions=()):
        count = len(workdirs)
        kept.mkdir(exist_ok=True)
        sockets = [socket.create_server(("localhost", 0)) for _ in workdirs]
        addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
        for each in sockets:
            each.close()
        processes = []
        for index, workdir in enumerate(workdirs):
            environment = dict(os.environ)
            strategy = []
            if count > 1:
                environment["TF_CONFIG"] = json.dumps(
                    cluster(addresses, index))
                strategy = ["--strategy", "multiworker"]
            action, at = dict(actions).get(index, ("", 0))
            processes.append(subprocess.Popen(
                [sys.executable, "-c", WORKER, stages,
                 kept / f"{index}.npz", action, str(at), *strategy,
                 "--workdir", workdir, *arguments],
                env=environment, stdout=open(kept / f"{index}.out", "w"),
                stderr=subprocess.STDOUT))
        self.ends = [None] * count
        deadline = time.monotonic() + 1200
        try:
            while None in self.ends and time.monotonic() < deadline:
                time.sleep(0.2)
                for index, process in enumerate(processes):
                    if self.ends[index] is None and process.poll() is not None:
                        self.ends[index] = time.monotonic()
        finally:
            for process in processes:
                process.kill()
        for process in processes:
            process.wait()
        self.said = [(kept / f"{index}.out").read_text()
                     for index in range(count)]
        self.codes = [process.returncode for process in processes]

    def check(self, *codes):
        assert self.codes == list(codes), "\n".join(
            said[-2000:] for said in self.said)
        return self


def weights(kept, index):
    with np.load(kept / f"{index}.npz") as arrays:
        return [arrays[name] for name in arrays]


def same_weights(first, second):
    assert len(first) == len(second) > 100
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)


def records(workdir):
    return [json.loads(line) for line in
            (workdir / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_workers_learn_what_one_learns(tmp_path):
    # Dropout draws a mask a worker, hence none.
    arguments = ["--set", "checkpoint_minutes=99", "preset_options="
                 + json.dumps({**TINY_REGIONS, "dropout": 0.0})]
    stages = "vae,mdn,joint"
    # The chief makes the pictures; the other waits for them.
    two = Run(tmp_path, stages, [tmp_path / "two"] * 2, arguments).check(0, 0)
    same_weights(weights(tmp_path, 0), weights(tmp_path, 1))
    Run(tmp_path, stages, [tmp_path / "one"],
        ["--data", tmp_path / "two" / "pictures", *arguments]).check(0)
    one_log, two_log = records(tmp_path / "one"), records(tmp_path / "two")
    assert len(one_log) == len(two_log) == 3 * 4
    for one, both in zip(one_log, two_log):
        assert one.keys() == both.keys()
        for name in one.keys() - {"time", "pictures_per_second"}:
            if isinstance(one[name], float):
                assert both[name] == pytest.approx(one[name], rel=5e-3)
            else:
                assert both[name] == one[name]
    # The chief alone writes, and shows the bar.
    assert "0-vae: 100%" in two.said[0] and "0-vae: " not in two.said[1]
    assert "worker 1 of 2: done; the chief wrote" in two.said[1]
    assert len(list((tmp_path / "two" / "tensorboard").iterdir())) == 1
    assert storage.describe(tmp_path / "two" / "model")


@pytest.mark.slow
def test_two_workers_killed_stopped_and_resumed(tmp_path):
    pictures = synthetic.write_folder(tmp_path / "pictures")
    # A checkpoint after every step; dropout, and batches in parts.
    arguments = ["--data", pictures, "--set", "checkpoint_minutes=0",
                 "accumulate=2"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"

    def run(workdirs, actions=()):
        return Run(tmp_path / "kept", "joint", workdirs, arguments, actions)

    run([whole] * 2).check(0, 0)
    shutil.copytree(tmp_path / "kept", tmp_path / "expected")
    # kill -9 of both.
    killed = -signal.SIGKILL
    codes = run([cut] * 2, {0: ("SIGKILL", 3), 1: ("SIGKILL", 3)}).codes
    # The first to die may end the other, in the middle of their meeting.
    assert killed in codes and set(codes) <= {killed, 1}
    # SIGTERM to one saves, and ends both.
    stopped = run([cut] * 2, {1: ("SIGTERM", 4)}).check(0, 0)
    for said in stopped.said:
        assert "0-joint: resumed after step 2 of 8" in said
        assert "stopped after step 4 of 8; checkpoint saved; run" in said
    # A worker with a folder of its own.
    shutil.copytree(cut, tmp_path / "other")
    shutil.rmtree(tmp_path / "other" / "checkpoints")
    for said in run([cut, tmp_path / "other"]).check(1, 1).said:
        assert "must be one folder that all workers share" in said
        assert "[4, 0]" in said
    # kill -9 of one ends the other, soon and with a message.
    lost = run([cut] * 2, {1: ("SIGKILL", 6)}).check(1, killed)
    assert "worker 0 of 2 cannot continue without the others (" in lost.said[0]
    assert "run the same commands to continue from the last" in lost.said[0]
    seconds = lost.ends[0] - lost.ends[1]
    assert seconds < strategies.HEARTBEAT_SECONDS + 30
    lost = run([cut] * 2, {0: ("SIGKILL", 7)}).check(killed, 1)
    assert "worker 1 of 2 cannot continue without the others (" in lost.said[1]
    # And then it ends as the one that was left alone.
    assert "resumed after step 6" in run([cut] * 2).check(0, 0).said[1]
    for index in (0, 1):
        same_weights(weights(tmp_path / "kept", index),
                     weights(tmp_path / "expected", index))

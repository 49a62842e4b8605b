"""A model in parts (FSDP on the CPU): a forward pass waits for that of every process, so all make the same number."""

import io
import re

import pandas as pd
from mlflow import MlflowClient

from conftest import ROOT, local
from ranks import together as together

# Accelerate shards on GPUs only, so that the models are sharded here. All ways train on the same batches. Of 13 samples
# in batches of 7, and of 20 in batches of 3, one process has more batches than the other.
SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import torch.distributed as dist
from torch.distributed import fsdp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
import sft, trainers

# Adam would make rounding large. All samples have as many targets, so that a mean of means is the mean; by default the
# Trainer counts targets over processes, and doubles the gradients of models that do not divide by that count.
SGD = {{"optim": "sgd", "learning_rate": 0.5, "max_grad_norm": 0.0, "average_tokens_across_devices": False}}
PLAIN = {{"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}}

def shard_by(how):
    def shard(model, **options):
        layers = model.model.layers if hasattr(model, "lm_head") else model.bert.encoder.layer
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        if how == "FSDP":
            policy = ModuleWrapPolicy({{type(layers[0])}})
            return fsdp.FullyShardedDataParallel(
                model, device_mesh=mesh, auto_wrap_policy=policy, device_id=layers[0].parameters().__next__().device,
                use_orig_params=True,
            )
        for layer in (*layers, model):
            fsdp.fully_shard(layer, mesh=mesh)
        return model
    return shard

def training(task, callback, **options):
    if task != "classification":
        return sft.training(callback, packing=task == "packed", **options)
    return trainers.HuggingFace(callback, config=PLAIN, use_cpu=True, **options).trainer

for how in sys.argv[1:]:
    for task, options in (
        ("classification", {{"samples": 13, "class_names": ["low", "high"]}}),
        ("generation", {{"samples": sft.ROWS, "every": 2}}),
        ("packed", {{"samples": sft.ROWS, "every": 2}}),
    ):
        callback = trainers.callback_of("transformers", **options)
        size = (2 if task == "packed" else 4) // (1 if how == "alone" else 2)
        trainer = training(task, callback, per_device_train_batch_size=size, **SGD)
        counts = []
        trainer.model.register_forward_pre_hook(lambda module, args: counts.append(1) if not module.training else None)
        if how in ("FSDP", "fully_shard"):
            trainer.is_fsdp_enabled, trainer.accelerator.state.fsdp_plugin = True, None
            trainer.accelerator.prepare_model = shard_by(how)
        trainer.train()
        found = callback.processes.gather(len(counts))
        if callback.processes.first:
            said = ["trained", task, how, type(trainer.model_wrapped).__name__, callback.recorder.run_id, *found]
            sys.stdout.write(" ".join(map(str, said)) + "\\n")
"""


def trained(together, processes, *ways):
    """{(task, way): (class of the model that trained, id of its run, forward passes of each process)}."""
    done, _ = together(processes, SCRIPT.format(tests=str(ROOT / "tests")), *ways)
    assert done.code == 0, done.err
    lines = re.findall(r"^trained (\w+) (\w+) (\w+) (\w+) ([\d ]+)$", done.out, re.MULTILINE)
    return {(task, way): (kind, run_id, passes.split()) for task, way, kind, run_id, passes in lines}


def test_a_model_in_parts_has_the_summary_of_one_process(together, command):
    def summary(run_id):
        assert command("summarize", f"run_id={run_id}").code == 0
        return pd.read_csv(io.BytesIO(local(MlflowClient(), run_id, "summary.tsv").read_bytes()), sep="\t")

    alone = trained(together, 1, "alone")
    both = trained(together, 2, "DDP", "FSDP", "fully_shard")
    kinds = {(way, task): both[task, way][0] for task, way in both}
    assert {kind for (way, _), kind in kinds.items() if way == "FSDP"} == {"FullyShardedDataParallel"}
    assert kinds["fully_shard", "generation"] == "FSDPLlamaForCausalLM"
    assert len(both) == 9
    for (task, way), (_, run_id, passes) in both.items():
        assert len(set(passes)) == 1, (task, way, passes)
        pd.testing.assert_frame_equal(
            summary(alone[task, "alone"][1]), summary(run_id), rtol=1e-3, atol=1e-5, obj=f"{task} {way}"
        )

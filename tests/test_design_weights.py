"""Weights from files: every tensor finds its place or is named, and hostile files end in one line."""

import os
import pickle
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from snowroll.base.errors import DataError, PlanError
from snowroll.design import hub, zoo
from snowroll.design.classifier import Classifier
from snowroll.design.padding import SameConv2d, pad_as_tensorflow
from snowroll.design.weights import load_weights, read_tensors

pytestmark = pytest.mark.slow

DATA = Path(os.environ.get("SNOWROLL_DATA", Path(__file__).parents[2] / "shared" / "data"))
MOBILENET = DATA / "backbone_mobilenet_v2" / "mobilenet_v2_imagenet_tv.pth"
needs_mobilenet = pytest.mark.skipif(not MOBILENET.exists(), reason="backbone_mobilenet_v2 is not at SNOWROLL_DATA")


def model(classes: int = 3, seed: int = 0, name: str = "fastnet_small") -> Classifier:
    torch.manual_seed(seed)
    return zoo.build(name, classes, 32).eval()


def same(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def saved(path: Path, tensors: dict[str, Tensor]) -> Path:
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    else:
        torch.save(tensors, path)
    return path


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_our_own_file_comes_back_exactly(tmp_path: Path, suffix: str) -> None:
    source, target = model(seed=0), model(seed=1)
    assert not same(source, target)
    loaded = load_weights(target, saved(tmp_path / f"w{suffix}", source.state_dict()))
    assert same(source, target)
    assert not loaded.kept
    assert not loaded.skipped


def test_a_head_for_other_classes_is_left_out_and_named(tmp_path: Path) -> None:
    source, target = model(classes=5), model(classes=3, seed=1)
    head = target.head.weight.clone()
    loaded = load_weights(target, saved(tmp_path / "w.pth", source.state_dict()))
    assert torch.equal(target.head.weight, head)
    assert same(source.backbone, target.backbone)
    assert set(loaded.kept) == {"head.weight", "head.bias"}
    assert loaded.skipped["head.weight"] == "[5, 128] in the file, [3, 128] in the model"


@pytest.mark.parametrize("wrap", ["plain", "state_dict", "module.", "timm"])
def test_other_peoples_names(tmp_path: Path, wrap: str) -> None:
    import timm
    import torchvision

    torch.manual_seed(0)
    network = timm.create_model("resnet18") if wrap == "timm" else torchvision.models.resnet18()
    tensors: dict[str, Tensor] = network.state_dict()
    if wrap == "module.":
        tensors = {f"module.{name}": tensor for name, tensor in tensors.items()}
    path = tmp_path / "w.pth"
    torch.save({"epoch": 3, "state_dict": tensors} if wrap == "state_dict" else tensors, path)
    target = model(classes=1000, seed=1, name="resnet18")
    loaded = load_weights(target, path)
    assert not loaded.kept
    assert not loaded.skipped
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(target(images), network.eval()(target.normalise(images)))


def test_the_same_network_under_other_names_is_known_by_its_shapes(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(0)
    network = timm.create_model("mobilenetv2_100", num_classes=1000)
    target = model(classes=4, seed=1, name="mobilenet_v2")
    loaded = load_weights(target, saved(tmp_path / "w.pth", network.state_dict()))
    assert set(loaded.kept) == {"head.weight", "head.bias"}
    images = torch.rand(2, 3, 32, 32)
    features = network.eval().forward_head(network.forward_features(target.normalise(images)), pre_logits=True)
    torch.testing.assert_close(target.features(images), features)


def test_half_precision_is_converted(tmp_path: Path) -> None:
    source = model()
    half = {name: t.half() if t.is_floating_point() else t for name, t in source.state_dict().items()}
    target = model(seed=1)
    load_weights(target, saved(tmp_path / "w.pth", half))
    assert target.head.weight.dtype == torch.float32
    torch.testing.assert_close(target.head.weight, source.head.weight, atol=1e-3, rtol=1e-3)


def test_weights_of_another_network_are_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    target, before = model(seed=1), model(seed=1)
    path = saved(tmp_path / "w.pth", model(name="convnet").state_dict())
    with pytest.raises(DataError, match="another network: 0 of"):
        load_weights(target, path)
    assert same(target, before)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    tensors = model().state_dict()
    tensors["head.bias"][1] = float("nan")
    with pytest.raises(DataError, match=r"'head\.bias' holds numbers that are not finite"):
        load_weights(model(), saved(tmp_path / "w.pth", tensors))


def test_a_few_bytes_that_claim_to_be_terabytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"head.weight": torch.zeros(1).expand(2**20, 2**20)}, path)
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="claims more than the file holds"):
        read_tensors(path)


def test_one_storage_counted_many_times_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowroll.design.weights.LARGEST_BYTES", 100_000)
    shared = torch.zeros(5_000)
    path = saved(tmp_path / "w.pth", {f"t{i}": shared for i in range(10)})
    with pytest.raises(DataError, match="share memory"):
        read_tensors(path)


class Runs:
    """What a pickle that runs code looks like; unpickling it would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
def test_code_in_a_file_never_runs(tmp_path: Path, kind: str) -> None:
    path, trace = tmp_path / "w.pth", tmp_path / "trace"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Runs(trace)))
    else:
        torch.save({"w": Runs(trace)}, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(DataError, match="cannot be read as plain weights"):
        read_tensors(path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04rubbish", b"\xff" * 16, b"\x80\x02}q\x00."])
def test_rubbish_ends_in_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError) as fault:
        read_tensors(path)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_ends_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"w{suffix}", model().state_dict())
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError) as fault:
            read_tensors(path)
        assert "\n" not in str(fault.value)


@given(damage=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=30))
@pytest.mark.parametrize("legacy", [False, True])
@settings(max_examples=60)
def test_a_damaged_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, legacy: bool, damage) -> None:
    path = tmp_path_factory.mktemp("damaged") / "w.pth"
    torch.save({"a.weight": torch.ones(3), "b": [1, "x"]}, path, _use_new_zipfile_serialization=not legacy)
    content = bytearray(path.read_bytes())
    for at, byte in damage:
        content[at % len(content)] = byte
    path.write_bytes(content)
    with suppress(DataError):
        read_tensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.pth: no such file"):
        zoo.build("convnet", 2, 32, pretrained=str(tmp_path / "none.pth"))


def test_offline_hub_says_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("socket.create_connection", offline)
    monkeypatch.setattr("socket.socket.connect", offline)
    with pytest.raises(DataError) as fault:
        zoo.build("resnet18", 2, 32, pretrained="hub")
    assert str(tmp_path / "hub" / "checkpoints") in fault.value.cure
    assert capsys.readouterr().out == ""  # which is for results
    assert "\n" not in str(fault.value)


def test_hub_weights_already_fetched_need_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = model(classes=1000, name="mobilenet_v2")
    state = {k.removeprefix("backbone."): v for k, v in wanted.state_dict().items() if k.startswith("backbone.")}
    monkeypatch.setattr(hub, "torchvision_weights", lambda name: state)
    monkeypatch.setattr(zoo, "torchvision_weights", lambda name: state)
    target = zoo.build("mobilenet_v2", 3, 32, pretrained="hub")
    assert same(target.backbone, wanted.backbone)


def test_our_own_networks_have_no_hub() -> None:
    with pytest.raises(PlanError, match="no public weights"):
        zoo.build("fastnet", 2, 32, pretrained="hub")


@pytest.mark.parametrize("size_px", [32, 33, 47])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (7, 4)])
def test_same_padding_is_tensorflows(size_px: int, kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, kernel, stride, kernel // 2), nn.Conv2d(3, 3, 3, 1, 1))
    plain = network[1]
    assert pad_as_tensorflow(network) == 1
    assert network[1] is plain
    conv, images = network[0], torch.rand(1, 2, size_px, size_px)
    assert isinstance(conv, SameConv2d)
    outputs = -(-size_px // stride)
    # what TensorFlow documents: the total splits in two, the odd pixel last
    total = max(0, (outputs - 1) * stride + kernel - size_px)
    first = total // 2
    padded = nn.functional.pad(images, (first, total - first, first, total - first))
    expected = nn.functional.conv2d(padded, conv.weight, conv.bias, stride)
    assert expected.shape[-1] == outputs
    torch.testing.assert_close(conv(images), expected)


@needs_mobilenet
def test_the_public_mobilenet_loads_whole() -> None:
    half = (0.5, 0.5, 0.5)
    for name in ("mobilenet_v2", "timm:mobilenetv2_100"):
        network = zoo.build(name, 1000, 224, mean=half, std=half, pretrained=str(MOBILENET), padding="same")
        assert network.loaded is not None
        assert (len(network.loaded.loaded), network.loaded.kept, dict(network.loaded.skipped)) == (314, (), {})

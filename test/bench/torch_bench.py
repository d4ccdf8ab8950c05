"""PyTorch on one CPU thread or a GPU, doing what the fused engine does, for `torch-bench.ts` to compare with.

A child process that measures on request, so that its turns alternate with the engine's. It reads one JSON object a line,
{"case": NAME, "members": K, "seconds": S}, and answers each with {"ms": MILLISECONDS}, one step of one member, measured over S
seconds after a warm-up at the first request of a case. The first line that it writes says who it is. Its first argument says
what it measures by: wall, or processor (time of its own threads); its second where it computes: cpu or cuda. Every step is over
on the device before the next begins, as in the engine's turns.

  eager    one model after the other, as a user writes it: nn.Module, autograd, torch.optim
  stacked  all members in one program by hand: torch.baddbmm over stacked parameters, one optimizer over the stacks
  vmap     the same by torch.func: vmap over grad of a functional model
"""

import json
import math
import sys
import time

import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

LAYERS = [16, 32, 32, 1]
BATCH = 128
ROWS = 1024
WARM_UP_STEPS = 60
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
TEXT = {"vocabulary": 27, "context": 32, "width": 32, "heads": 4, "batch": 16}
DIGITS = {"size": 28, "channels": 8, "classes": 10, "batch": 64}


def mlp():
    layers = []
    for fan_in, fan_out in zip(LAYERS, LAYERS[1:]):
        layers += [nn.Linear(fan_in, fan_out), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class Transformer(nn.Module):
    """One block, normalised before, with the shapes of `src/catalogue/architecture/transformer.ts`."""

    def __init__(self, vocabulary, context, width, heads, batch):
        super().__init__()
        self.heads = heads
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.02 * torch.randn(context, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        self.unembed = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids):
        h = self.token(ids) + self.position
        rows, context, width = h.shape
        split = self.qkv(self.norms[0](h)).view(rows, context, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        h = h + self.out(mixed.transpose(1, 2).reshape(rows, context, width))
        h = h + self.down(F.gelu(self.up(self.norms[1](h))))
        return self.unembed(self.norms[2](h)).flatten(0, 1)


def cnn():
    channels, pixels = DIGITS["channels"], DIGITS["size"] // 4
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(channels * pixels * pixels, DIGITS["classes"]),
    )


def regression(batch=BATCH):
    return torch.randn(ROWS, LAYERS[0]), torch.randn(ROWS, LAYERS[-1]), batch


def half_square(outputs, targets):
    return 0.5 * (targets - outputs).square().sum(-1).mean()


def large_eager(width):
    """64-w-w-w-w-10, as `large-bench.ts` has it."""
    layers, fan_in = [], 64
    for _ in range(4):
        layers += [nn.Linear(fan_in, width), nn.ReLU()]
        fan_in = width
    data = torch.randn(ROWS, 64), torch.randn(ROWS, 10), BATCH
    return eager(nn.Sequential(*layers, nn.Linear(fan_in, 10)), data, half_square)


def eager(model, data, loss):
    x, y, batch = data
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        rows = torch.randint(len(x), (batch,))
        optimizer.zero_grad()
        loss(model(x[rows]), y[rows]).backward()
        optimizer.step()

    return step, 1


def mlp_eager(members):
    return eager(mlp(), regression(), half_square)


def transformer_eager(members):
    ids = torch.randint(TEXT["vocabulary"], (ROWS, TEXT["context"] + 1))
    data = (ids[:, :-1], ids[:, 1:], TEXT["batch"])
    return eager(Transformer(**TEXT), data, lambda outputs, targets: F.cross_entropy(outputs, targets.flatten()))


def cnn_eager(members):
    data = (torch.rand(ROWS, 1, DIGITS["size"], DIGITS["size"]), torch.randint(DIGITS["classes"], (ROWS,)), DIGITS["batch"])
    return eager(cnn(), data, F.cross_entropy)


def stacked_parameters(members):
    weights, biases = [], []
    for fan_in, fan_out in zip(LAYERS, LAYERS[1:]):
        weights.append((torch.randn(members, fan_in, fan_out) / math.sqrt(fan_in)).requires_grad_())
        biases.append(torch.zeros(members, 1, fan_out, requires_grad=True))
    return weights, biases


def stacked_loss(weights, biases, x, y):
    """Sum over members of the mean over rows."""
    for weight, bias in zip(weights[:-1], biases[:-1]):
        x = torch.baddbmm(bias, x, weight).tanh()
    return 0.5 * (y - torch.baddbmm(biases[-1], x, weights[-1])).square().sum(-1).mean(-1).sum()


def mlp_stacked(members, fused):
    x, y, batch = regression()
    weights, biases = stacked_parameters(members)
    optimizer = torch.optim.Adam([*weights, *biases], lr=1e-3, fused=fused)

    def step():
        rows = torch.randint(len(x), (members, batch))
        optimizer.zero_grad()
        stacked_loss(weights, biases, x[rows], y[rows]).backward()
        optimizer.step()

    return step, members


def mlp_vmap(members):
    x, y, batch = regression()
    models = [mlp() for _ in range(members)]
    parameters, buffers = stack_module_state(models)
    base = mlp().to("meta")

    def loss(parameters, buffers, x, y):
        return half_square(functional_call(base, (parameters, buffers), (x,)), y)

    gradients = vmap(grad(loss))
    optimizer = torch.optim.Adam(parameters.values(), lr=1e-3)

    def step():
        rows = torch.randint(len(x), (members, batch))
        for name, gradient in gradients({k: v.detach() for k, v in parameters.items()}, buffers, x[rows], y[rows]).items():
            parameters[name].grad = gradient
        optimizer.step()

    return step, members


def langevin(tensors, anchors, epsilon=1e-5, t=150.0, gamma=1.0):
    """w - (eps / 2) (t g + gamma (w - w0)) + sqrt(eps) xi, in place, tensor by tensor."""
    with torch.no_grad():
        for w, w0 in zip(tensors, anchors):
            drift = t * w.grad + gamma * (w - w0)
            w.add_(drift, alpha=-epsilon / 2).add_(torch.randn_like(w), alpha=math.sqrt(epsilon))


def sgld_eager(members):
    """One chain as devinterp runs it: a model of its own, plain minibatches, the loss of every draw kept."""
    x, y, batch = regression()
    model = mlp()
    parameters = list(model.parameters())
    anchors = [w.detach().clone() for w in parameters]

    def step():
        rows = torch.randint(len(x), (batch,))
        model.zero_grad()
        loss = half_square(model(x[rows]), y[rows])
        loss.backward()
        langevin(parameters, anchors)
        return loss.item()

    return step, 1


def sgld_stacked(members):
    x, y, batch = regression()
    weights, biases = stacked_parameters(members)
    parameters = [*weights, *biases]
    anchors = [w.detach().clone() for w in parameters]

    def step():
        rows = torch.randint(len(x), (members, batch))
        for w in parameters:
            w.grad = None
        stacked_loss(weights, biases, x[rows], y[rows]).backward()
        langevin(parameters, anchors)

    return step, members


CASES = {
    "mlp-eager": mlp_eager,
    "mlp-stacked": lambda members: mlp_stacked(members, fused=None),
    "mlp-stacked-fused-adam": lambda members: mlp_stacked(members, fused=True),
    "mlp-vmap": mlp_vmap,
    "sgld-eager": sgld_eager,
    "sgld-stacked": sgld_stacked,
    "transformer-eager": transformer_eager,
    "cnn-eager": cnn_eager,
    "large-eager": large_eager,
}


def milliseconds(clock, step, members, seconds):
    start = clock()
    steps = 0
    while True:
        step()
        if torch.get_default_device().type == "cuda":
            torch.cuda.synchronize()
        steps += 1
        elapsed = clock() - start
        if elapsed >= seconds:
            return 1000 * elapsed / steps / members


def main():
    clock = CLOCKS[sys.argv[1]]
    torch.set_num_threads(1)
    torch.set_default_device(sys.argv[2])
    torch.manual_seed(1)
    where = torch.cuda.get_device_name() if sys.argv[2] == "cuda" else "one CPU thread"
    say({"torch": f"{torch.__version__} on {where}", "cases": list(CASES)})
    opened = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = (request["case"], request["members"])
        if name not in opened:
            opened[name] = CASES[request["case"]](request["members"])
            for _ in range(WARM_UP_STEPS):
                opened[name][0]()
        say({"ms": milliseconds(clock, *opened[name], request["seconds"])})


def say(answer):
    print(json.dumps(answer), flush=True)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of `pha bench` in plain PyTorch: the other side of the comparison.

Same shapes, same operations, same recipe (bf16 matrix products, fp32 residual stream and optimiser, AdamW, clip 1);
written the way a PyTorch user would, then handed to torch.compile. Prints one JSON line for each measurement.
On a processor (--device cpu) everything is eager fp32, and PyTorch 1.13, Debian's, is enough.

    python3 tests/bench/torch_twin.py --models transformer-125m --contexts 1024 --batch-tokens 32768 --compile model
    python3 tests/bench/torch_twin.py --device cpu --models pha-small,transformer-small --contexts 512 --batch-tokens 4096
"""
import argparse
import json
import math
import os
import time

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY = 50257
CPU = False
# width, layers, query heads, kv heads, main width, auxiliary width, (GSS expand, channels, state)
SHAPES = {
    "pha-tiny": dict(v=4096, d=128, layers=4, hq=4, hkv=1, main=256, aux=96, gss=(512, 32, 32), mix=True),
    "pha-small": dict(v=16384, d=384, layers=6, hq=6, hkv=2, main=768, aux=256, gss=(1536, 96, 64), mix=True),
    "transformer-tiny": dict(v=4096, d=128, layers=4, hq=4, hkv=4, main=512, gelu=True, cosine=False),
    "transformer-small": dict(v=16384, d=384, layers=8, hq=6, hkv=6, main=1536, gelu=True, cosine=False),
    "transformer-125m": dict(d=768, layers=12, hq=12, hkv=12, main=3072, gelu=True, cosine=False),
    "attention-180m": dict(d=768, layers=24, hq=12, hkv=4, main=1920),
    "pha-125m-s4d": dict(d=640, layers=12, hq=10, hkv=2, main=1280, aux=384, gss=(2560, 128, 64), mix=True),
    "pha-180m-s4d": dict(d=768, layers=10, hq=12, hkv=4, main=1920, aux=960, gss=(3072, 256, 64), mix=True),
    "pha-lean-180m": dict(d=768, layers=19, hq=12, hkv=4, main=1920, gss=(768, 192, 64), mix=True),
}


def rms(x, gain=None, eps=1e-6):
    y = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + eps)
    return y if gain is None else y * gain


def low(x):
    return x if CPU else x.bfloat16()


def rotate(x, cos, sin):
    a, b = x.float().chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.hq, self.hkv, self.dh, self.cosine = s["hq"], s["hkv"], s["d"] // s["hq"], s.get("cosine", True)
        self.qkv = nn.Linear(s["d"], (self.hq + 2 * self.hkv) * self.dh, bias=False)
        self.out = nn.Linear(self.hq * self.dh, s["d"], bias=False)
        if self.cosine:
            self.temperature = nn.Parameter(torch.full((self.hq, 1), math.log(10.0)))

    def forward(self, u, rope):
        B, T, _ = u.shape
        q, k, v = self.qkv(u).view(B, T, -1, self.dh).split((self.hq, self.hkv, self.hkv), 2)
        scale = None
        if self.cosine:
            q = rms(q, None, 1e-12) * (self.temperature.clamp_max(math.log(100.0)).exp() / self.dh)
            q, k, scale = q.to(u.dtype), rms(k, None, 1e-12).to(u.dtype), 1.0
        q, k = rotate(q, *rope), rotate(k, *rope)
        if CPU:
            return self.out(self.plain(q, k, v, scale or self.dh**-0.5).reshape(B, T, -1))
        o = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True,
                                           scale=scale, enable_gqa=self.hq != self.hkv)
        return self.out(o.transpose(1, 2).reshape(B, T, -1))


    def plain(self, q, k, v, scale):
        k, v = (x.repeat_interleave(self.hq // self.hkv, 2).transpose(1, 2) for x in (k, v))
        later = torch.ones(q.size(1), q.size(1), dtype=torch.bool).triu(1)
        p = torch.softmax((q.transpose(1, 2) * scale @ k.transpose(2, 3)).masked_fill(later, -math.inf), -1)
        return (p @ v).transpose(1, 2)


class SwiGlu(nn.Module):
    def __init__(self, d, f):
        super().__init__()
        self.up, self.down = nn.Linear(d, 2 * f, bias=False), nn.Linear(f, d, bias=False)

    def forward(self, u, rope):
        gate, up = self.up(u).chunk(2, -1)
        return self.down(F.silu(gate) * up)


class Gelu(nn.Module):
    def __init__(self, d, f):
        super().__init__()
        self.up, self.down = nn.Linear(d, f, bias=False), nn.Linear(f, d, bias=False)

    def forward(self, u, rope):
        return self.down(F.gelu(self.up(u)))


class Gss(nn.Module):
    """s4d inside the gated state space layer: matrix products in chunks, or Fourier transforms."""
    chunk, fourier_always = 128, False

    def __init__(self, d, e, h, n):
        super().__init__()
        self.e, self.h = e, h
        self.into = nn.Linear(d, e + h, bias=False)
        self.expand, self.out = nn.Linear(h, e, bias=False), nn.Linear(e, d, bias=False)
        self.gain, self.skip = nn.Parameter(torch.ones(h)), nn.Parameter(torch.randn(h))
        self.c_re, self.c_im = (nn.Parameter(torch.randn(h, n // 2) * 0.5**0.5) for _ in range(2))
        self.log_dt = nn.Parameter(torch.empty(h, 1).uniform_(math.log(1e-3), math.log(1e-1)))
        self.log_a = nn.Parameter(torch.full((h, n // 2), math.log(0.5)))
        self.a_im = nn.Parameter(math.pi * torch.arange(n // 2).float().repeat(h, 1))

    def space(self):
        dt = self.log_dt.exp()
        re, im = -self.log_a.exp(), self.a_im
        lre, lim = dt * re, dt * im  # log lambda
        bre, bim = lre.exp() * lim.cos() - 1, lre.exp() * lim.sin()
        size = re.square() + im.square()
        hre, him = (bre * re + bim * im) / size, (bim * re - bre * im) / size
        return lre, lim, 2 * (self.c_re * hre - self.c_im * him), 2 * (self.c_re * him + self.c_im * hre)

    def chunked(self, u):
        B, T, h = u.shape
        C, (lre, lim, cre, cim) = self.chunk, self.space()
        l = torch.arange(C + 1, device=u.device, dtype=torch.float32)
        mag, ang = (lre[..., None] * l).exp(), lim[..., None] * l
        pre, pim = mag * ang.cos(), mag * ang.sin()  # (h,P,C+1)
        kernel = (cre[..., None] * pre - cim[..., None] * pim).sum(1)[:, :C]
        index = (l[:C, None] - l[None, :C]).long()
        toeplitz = torch.where(index >= 0, kernel[:, index.clamp_min(0)], 0.0)  # (h,C,C)
        x = u.view(B, T // C, C, h)
        y = torch.einsum("hts,bjsh->bjth", toeplitz, x)
        sre = torch.einsum("hpc,bjch->bjhp", pre[..., :C].flip(-1), x)
        sim = torch.einsum("hpc,bjch->bjhp", pim[..., :C].flip(-1), x)
        j = torch.arange(T // C, device=u.device, dtype=torch.float32)
        gap = j[:, None] - 1 - j[None, :]
        keep = gap >= 0
        mag, ang = (lre[..., None, None] * C * gap.clamp_min(0)).exp() * keep, lim[..., None, None] * C * gap.clamp_min(0)
        gre, gim = mag * ang.cos(), mag * ang.sin()  # (h,P,J,J)
        xre = torch.einsum("hpji,bihp->bjhp", gre, sre) - torch.einsum("hpji,bihp->bjhp", gim, sim)
        xim = torch.einsum("hpji,bihp->bjhp", gre, sim) + torch.einsum("hpji,bihp->bjhp", gim, sre)
        zre, zim = cre * xre - cim * xim, cre * xim + cim * xre
        y = y + torch.einsum("hpc,bjhp->bjch", pre[..., 1:], zre) - torch.einsum("hpc,bjhp->bjch", pim[..., 1:], zim)
        return y.reshape(B, T, h)

    def fourier(self, u):
        T = u.size(1)
        lre, lim, cre, cim = self.space()
        l = torch.arange(T, device=u.device, dtype=torch.float32)
        kernel = torch.zeros(self.h, T, device=u.device)
        for p in range(0, lre.size(1), 8):  # pieces: the whole (h,P,T) would not fit for long texts
            mag, ang = (lre[:, p:p + 8, None] * l).exp(), lim[:, p:p + 8, None] * l
            kernel = kernel + (cre[:, p:p + 8, None] * mag * ang.cos() - cim[:, p:p + 8, None] * mag * ang.sin()).sum(1)
        f = torch.fft.rfft(u.transpose(1, 2), 2 * T) * torch.fft.rfft(kernel, 2 * T)
        return torch.fft.irfft(f, 2 * T)[..., :T].transpose(1, 2)

    def forward(self, u, rope):
        v, x = F.gelu(self.into(u)).split((self.e, self.h), -1)
        x = rms(x, self.gain)
        with torch.autocast("cuda", enabled=False):  # no effect on a processor
            y = self.chunked(x) if x.size(1) <= 2048 and not self.fourier_always else self.fourier(x)
        y = y + self.skip * x
        return self.out(self.expand(y) * v)


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        parts = [Attention(s)]
        if "gss" in s:
            parts.insert(0, Gss(s["d"], *s["gss"]))
        if s.get("aux"):
            parts.append(SwiGlu(s["d"], s["aux"]))
        self.parts = nn.ModuleList(parts)
        self.mix = nn.Parameter(torch.zeros(len(parts))) if s.get("mix") else None
        self.main = (Gelu if s.get("gelu") else SwiGlu)(s["d"], s["main"])
        self.g1, self.g2 = nn.Parameter(torch.ones(s["d"])), nn.Parameter(torch.ones(s["d"]))

    def forward(self, x, rope):
        u = low(rms(x, self.g1))
        if self.mix is None:
            x = x + self.parts[0](u, rope)
        else:
            w = F.softplus(self.mix)
            w = w / w.sum()
            for k, part in enumerate(self.parts):
                x = x + w[k] * rms(part(u, rope))
        return x + self.main(low(rms(x, self.g2)), rope)


class Model(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.shape = s
        self.embedding = nn.Embedding(s.get("v", VOCABULARY), s["d"])
        self.blocks = nn.ModuleList(Block(s) for _ in range(s["layers"]))
        self.gain = nn.Parameter(torch.ones(s["d"]))
        for name, p in self.named_parameters():
            if p.dim() == 2 and "gss" not in name and p.size(0) > 64:
                nn.init.normal_(p, 0, 0.02)

    def forward(self, ids, targets):
        dh, T = self.shape["d"] // self.shape["hq"], ids.size(1)
        rate = 10000 ** (-2 * torch.arange(dh // 2, device=ids.device) / dh)
        angle = torch.arange(T, device=ids.device)[:, None] * rate
        rope = (angle.cos()[:, None], angle.sin()[:, None])
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, rope)
        return self.loss(x, targets)

    def loss(self, x, targets):
        logits = F.linear(low(rms(x, self.gain)), self.embedding.weight)
        return F.cross_entropy(logits.view(-1, logits.size(-1)).float(), targets.view(-1))


def measure_cpu(name, mode, context, tokens, repeats):
    torch.manual_seed(1)
    batch, shape = max(1, tokens // context), SHAPES[name]
    model = Model(shape)
    ids, targets = (torch.randint(shape.get("v", VOCABULARY), (batch, context)) for _ in range(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step():
        if mode == "forward":
            with torch.no_grad():
                return model(ids, targets)
        loss = model(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    loss, times = step(), []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    times.sort()
    return dict(model=name, mode=mode, device="cpu", torch=torch.__version__, threads=torch.get_num_threads(),
                parameters=sum(p.numel() for p in model.parameters()), context=context, batch=batch,
                tokens_per_second=batch * context / times[len(times) // 2],
                spread=(times[-1] - times[0]) / times[len(times) // 2], loss=loss.item())


def measure(name, mode, context, tokens, compiled, backend, repeats):
    torch.manual_seed(1)
    torch.compiler.reset()
    from torch.nn.attention import sdpa_kernel
    batch, shape = max(1, tokens // context), SHAPES[name]
    model = Model(shape).cuda()
    if compiled == "layers":  # one layer compiled, used by all: quick, and what the gated models need to compile at all
        for block in model.blocks:
            block.compile()
        model.loss = torch.compile(model.loss)  # pads the vocabulary's product as a whole compiled model does
    step_model = torch.compile(model) if compiled == "model" else model
    ids, targets = (torch.randint(shape.get("v", VOCABULARY), (batch, context), device="cuda") for _ in range(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step():
        with torch.autocast("cuda", torch.bfloat16), sdpa_kernel(backend):
            if mode == "forward":
                with torch.no_grad():
                    return step_model(ids, targets)
            loss = step_model(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    for _ in range(3):
        loss = step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    times.sort()
    return dict(model=name, convolution="fft" if Gss.fourier_always else "chunked",
                fp32_products=torch.get_float32_matmul_precision(), mode=mode, context=context, batch=batch, compiled=compiled, attention=backend.name,
                tokens_per_second=batch * context / times[len(times) // 2],
                spread=(times[-1] - times[0]) / times[len(times) // 2],
                peak_bytes=torch.cuda.max_memory_allocated(), loss=loss.item())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    p.add_argument("--threads", type=int, help="of a processor; all of them if not said")
    p.add_argument("--models", default="transformer-125m")
    p.add_argument("--contexts", default="1024")
    p.add_argument("--mode", default="train", choices=("train", "forward"))
    p.add_argument("--batch-tokens", type=int, default=32768)
    p.add_argument("--compile", choices=("model", "layers"))
    p.add_argument("--attention", default="flash,cudnn", help="which attention kernels to try")
    p.add_argument("--fft", action="store_true", help="the state space by Fourier transforms at every length")
    p.add_argument("--tf32", action="store_true", help="fp32 products, the state space's, in tf32")
    p.add_argument("--repeats", type=int, default=10)
    a = p.parse_args()
    Gss.fourier_always = a.fft
    if a.device == "cpu":
        global CPU
        CPU = True
        torch.set_num_threads(a.threads or len(os.sched_getaffinity(0)))
        for name in a.models.split(","):
            for context in map(int, a.contexts.split(",")):
                print(json.dumps(measure_cpu(name, a.mode, context, a.batch_tokens, a.repeats)), flush=True)
        return
    from torch.nn.attention import SDPBackend
    if a.tf32:
        torch.set_float32_matmul_precision("high")
    backends = dict(flash=SDPBackend.FLASH_ATTENTION, cudnn=SDPBackend.CUDNN_ATTENTION)
    for name in a.models.split(","):
        for context in map(int, a.contexts.split(",")):
            for backend in a.attention.split(","):
                try:
                    row = measure(name, a.mode, context, a.batch_tokens, a.compile, backends[backend], a.repeats)
                except torch.OutOfMemoryError:
                    row = dict(model=name, mode=a.mode, context=context, attention=backend, error="out of memory")
                print(json.dumps(row), flush=True)
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()

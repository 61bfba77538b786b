// SPDX-License-Identifier: GPL-3.0-or-later
// Norm, temperature and rotation of queries and keys, in place inside the fused projection.
#include "engine/model/cuda/common.cuh"

namespace pha::kernels {

namespace {

constexpr int threads = 256;

/// A thread's pairs (i, i + dh/2) of one head: V neighbouring ones.
template <int V> struct Pairs {
    float a[V], b[V];
};
template <int V> __device__ Pairs<V> loadPairs(const void* p, std::int64_t base, int half)
{
    const auto* x = static_cast<const bf16*>(p) + base;
    const auto low = loadPack<V>(x, 0), high = loadPack<V>(x + half, 0);
    Pairs<V> r;
    for (int i = 0; i < V; ++i) r.a[i] = wide(low.v[i]), r.b[i] = wide(high.v[i]);
    return r;
}
template <int V> __device__ void storePairs(void* p, std::int64_t base, int half, const Pairs<V>& r)
{
    Pack<V> low, high;
    for (int i = 0; i < V; ++i) low.v[i] = narrow(r.a[i]), high.v[i] = narrow(r.b[i]);
    auto* x = static_cast<bf16*>(p) + base;
    storePack<V>(x, 0, low);
    storePack<V>(x + half, 0, high);
}
/// direction +1 rotates, -1 rotates back.
template <int V>
__device__ void rotate(Pairs<V>& r, const QueryKey& p, std::int64_t row, int first, int half, float direction)
{
    if (!p.cosine) return;
    const auto at = (row % p.context) * half + first;
    for (int i = 0; i < V; ++i) {
        const float c = p.cosine[at + i], s = direction * p.sine[at + i], a = r.a[i], b = r.b[i];
        r.a[i] = a * c - b * s;
        r.b[i] = a * s + b * c;
    }
}
template <int V> __device__ float dot(const Pairs<V>& x, const Pairs<V>& y)
{
    float sum = 0;
    for (int i = 0; i < V; ++i) sum += x.a[i] * y.a[i] + x.b[i] * y.b[i];
    return sum;
}
__device__ float scaleOf(const QueryKey& p, int head)
{
    if (head >= p.queryHeads) return 1;
    return p.queryScale * (p.headScale ? p.headScale[head] : 1);
}

/// `Lanes` neighbouring threads share a head.
template <int V, int Lanes> __global__ void __launch_bounds__(threads) forward(QueryKey p)
{
    const int heads = p.queryHeads + p.kvHeads, all = heads + p.kvHeads, half = p.headWidth / 2;
    const auto group = (std::int64_t(blockIdx.x) * threads + threadIdx.x) / Lanes;
    const int first = (threadIdx.x % Lanes) * V;
    const auto row = group / heads;
    const int head = int(group % heads);
    const bool mine = row < p.rows && first < half; // no early return: lanes meet in the sums
    const auto base = (row * all + head) * p.headWidth + first;
    Pairs<V> x {};
    if (mine) x = loadPairs<V>(p.qkv, base, half);
    float scale = scaleOf(p, head);
    if (p.normed) {
        const float inverse = rsqrtf(sumLanes<Lanes>(dot(x, x)) / p.headWidth + p.eps);
        if (mine && first == 0) p.inverse[row * heads + head] = inverse;
        scale *= inverse;
    }
    if (!mine) return;
    for (int i = 0; i < V; ++i) x.a[i] *= scale, x.b[i] *= scale;
    rotate<V>(x, p, row, first, half, 1);
    storePairs<V>(p.qkv, base, half, x);
}

/// With y the finished query or key, turned back, s its scale and g its gradient, turned back:
/// dx = (s g - y mean(g y) / s) / rms, and the scale of a head gets sum(g y) / s.
template <int V, int Lanes> __global__ void __launch_bounds__(threads) backward(QueryKey p)
{
    const int heads = p.queryHeads + p.kvHeads, all = heads + p.kvHeads, half = p.headWidth / 2;
    const auto group = (std::int64_t(blockIdx.x) * threads + threadIdx.x) / Lanes;
    const int first = (threadIdx.x % Lanes) * V;
    const auto row = group / all;
    const int head = int(group % all);
    const bool mine = row < p.rows && first < half;
    const auto base = (row * all + head) * p.headWidth + first;
    Pairs<V> g {}, y {};
    if (mine) {
        const bool query = head < p.queryHeads, key = !query && head < heads;
        const void* from = query ? p.dq : key ? p.dk : p.dv;
        const int own = query ? head : key ? head - p.queryHeads : head - heads;
        g = loadPairs<V>(from, (row * (query ? p.queryHeads : p.kvHeads) + own) * p.headWidth + first, half);
    }
    const float scale = scaleOf(p, head);
    if (head < heads) rotate<V>(g, p, mine ? row : 0, mine ? first : 0, half, -1);
    if (p.normed) {
        if (mine && head < heads) {
            y = loadPairs<V>(p.qkv, base, half);
            rotate<V>(y, p, row, first, half, -1);
        }
        const float sum = sumLanes<Lanes>(dot(g, y));
        if (mine && head < heads) {
            const float inverse = p.inverse[row * heads + head], mean = sum / p.headWidth / scale;
            for (int i = 0; i < V; ++i) {
                g.a[i] = inverse * (scale * g.a[i] - y.a[i] * mean);
                g.b[i] = inverse * (scale * g.b[i] - y.b[i] * mean);
            }
            if (p.dheadScale && first == 0 && head < p.queryHeads)
                p.dheadScale[row * p.queryHeads + head] = sum / p.headScale[head];
        }
    } else if (head < heads) {
        for (int i = 0; i < V; ++i) g.a[i] *= scale, g.b[i] *= scale;
    }
    if (mine) storePairs<V>(p.dqkv, base, half, g);
}

template <int V, int Lanes> void launch(const QueryKey& p, bool back, Stream stream)
{
    const auto items = p.rows * (p.queryHeads + (back ? 2 : 1) * p.kvHeads) * Lanes;
    if (back)
        backward<V, Lanes><<<blocksFor(items, threads), threads, 0, on(stream)>>>(p);
    else
        forward<V, Lanes><<<blocksFor(items, threads), threads, 0, on(stream)>>>(p);
}

template <int V> void launchLanes(const QueryKey& p, bool back, Stream stream)
{
    const int needed = (p.headWidth / 2 + V - 1) / V;
    if (needed <= 1)
        launch<V, 1>(p, back, stream);
    else if (needed <= 2)
        launch<V, 2>(p, back, stream);
    else if (needed <= 4)
        launch<V, 4>(p, back, stream);
    else if (needed <= 8)
        launch<V, 8>(p, back, stream);
    else if (needed <= 16)
        launch<V, 16>(p, back, stream);
    else
        launch<V, 32>(p, back, stream);
}

void launchWidth(const QueryKey& p, bool back, Stream stream)
{
    if (p.rows == 0) return;
    if (p.headWidth % 16 == 0)
        launchLanes<8>(p, back, stream);
    else
        launchLanes<2>(p, back, stream);
    checkLaunch("queries and keys");
}

} // namespace

bool queryKeyFits(std::int64_t headWidth) { return headWidth % 4 == 0 && headWidth <= 128; }
void queryKeyForward(const QueryKey& p, Stream stream) { launchWidth(p, false, stream); }
void queryKeyBackward(const QueryKey& p, Stream stream) { launchWidth(p, true, stream); }

} // namespace pha::kernels

// SPDX-License-Identifier: GPL-3.0-or-later
// One query a text against a long cache: the keys are split among blocks, whose results a second kernel joins.
#include "engine/model/cuda/common.cuh"

namespace pha::kernels {

namespace {

constexpr int warps = 4, share = 4; // channels of a lane: lane, lane + 32, ...

/// Softmax over the keys seen so far: largest score, sum of exponentials, weighted sum of values.
struct Running {
    float maximum = -INFINITY, sum = 0, value[share] = {};
};
__device__ void join(Running& a, float maximum, float sum, const float (&value)[share])
{
    const float top = fmaxf(a.maximum, maximum);
    if (top == -INFINITY) return; // neither has seen a key
    const float keep = __expf(a.maximum - top), add = __expf(maximum - top);
    a.sum = a.sum * keep + sum * add;
    for (int e = 0; e < share; ++e) a.value[e] = a.value[e] * keep + value[e] * add;
    a.maximum = top;
}
__device__ void loadLanes(float (&to)[share], const bf16* from, int width, int lane)
{
    for (int e = 0; e < share; ++e) to[e] = e * warp + lane < width ? wide(from[e * warp + lane]) : 0;
}

template <int G> __global__ void __launch_bounds__(warps* warp) attend(DecodeAttention p)
{
    const int w = threadIdx.x / warp, lane = threadIdx.x % warp, split = blockIdx.y, dh = p.headWidth;
    const auto b = std::int64_t(blockIdx.x) / p.kvHeads;
    const int head = int(blockIdx.x % p.kvHeads);
    const auto position = *p.position, count = position + 1;
    const auto each = (count + decodeSplits - 1) / decodeSplits, first = split * each, last = min(first + each, count);
    const auto* fresh = static_cast<const bf16*>(p.qkv) + b * (p.queryHeads + 2 * p.kvHeads) * dh;
    const auto* newKey = fresh + (p.queryHeads + head) * dh;
    const auto* newValue = newKey + p.kvHeads * dh;
    auto* keys = static_cast<bf16*>(p.keys);
    auto* values = static_cast<bf16*>(p.values);
    const auto at = [&](std::int64_t t) { return ((b * p.room + t) * p.kvHeads + head) * dh; };

    float q[G][share];
    Running state[G];
    for (int g = 0; g < G; ++g) loadLanes(q[g], fresh + (head * G + g) * dh, dh, lane);
    for (auto t = first + w; t < last; t += warps) {
        const bool own = t == position;
        float k[share], v[share];
        loadLanes(k, own ? newKey : keys + at(t), dh, lane);
        loadLanes(v, own ? newValue : values + at(t), dh, lane);
        for (int e = 0; own && e < share; ++e)
            if (const int c = e * warp + lane; c < dh) keys[at(t) + c] = narrow(k[e]), values[at(t) + c] = narrow(v[e]);
#pragma unroll
        for (int g = 0; g < G; ++g) {
            float score = 0;
            for (int e = 0; e < share; ++e) score += q[g][e] * k[e];
            join(state[g], sumLanes(score), 1, v);
        }
    }
    __shared__ float met[warps][warp * share + 2];
    for (int g = 0; g < G; ++g) {
        for (int e = 0; e < share; ++e) met[w][e * warp + lane] = state[g].value[e];
        if (lane == 0) met[w][warp * share] = state[g].maximum, met[w][warp * share + 1] = state[g].sum;
        __syncthreads();
        if (w == 0) {
            for (int other = 1; other < warps; ++other) {
                float value[share];
                for (int e = 0; e < share; ++e) value[e] = met[other][e * warp + lane];
                join(state[g], met[other][warp * share], met[other][warp * share + 1], value);
            }
            auto* to = p.partial + ((b * p.queryHeads + head * G + g) * decodeSplits + split) * (dh + 2);
            for (int e = 0; e < share; ++e)
                if (const int c = e * warp + lane; c < dh) to[c] = state[g].value[e];
            if (lane == 0) to[dh] = state[g].maximum, to[dh + 1] = state[g].sum;
        }
        __syncthreads();
    }
}

__global__ void __launch_bounds__(warp) finish(DecodeAttention p)
{
    const int lane = threadIdx.x, dh = p.headWidth;
    const auto* from = p.partial + std::int64_t(blockIdx.x) * decodeSplits * (dh + 2);
    Running state;
    for (int split = 0; split < decodeSplits; ++split, from += dh + 2) {
        float value[share];
        for (int e = 0; e < share; ++e) value[e] = e * warp + lane < dh ? from[e * warp + lane] : 0;
        join(state, from[dh], from[dh + 1], value);
    }
    auto* out = static_cast<bf16*>(p.out) + std::int64_t(blockIdx.x) * dh;
    for (int e = 0; e < share; ++e)
        if (const int c = e * warp + lane; c < dh) out[c] = narrow(state.value[e] / state.sum);
}

template <int G> void launch(const DecodeAttention& p, Stream stream)
{
    attend<G><<<dim3(unsigned(p.batch * p.kvHeads), decodeSplits), warps * warp, 0, on(stream)>>>(p);
}

} // namespace

void decodeAttention(const DecodeAttention& p, Stream stream)
{
    switch (p.queryHeads / p.kvHeads) {
    case 1:
        launch<1>(p, stream);
        break;
    case 2:
        launch<2>(p, stream);
        break;
    case 3:
        launch<3>(p, stream);
        break;
    case 4:
        launch<4>(p, stream);
        break;
    case 5:
        launch<5>(p, stream);
        break;
    case 6:
        launch<6>(p, stream);
        break;
    case 7:
        launch<7>(p, stream);
        break;
    case 8:
        launch<8>(p, stream);
        break;
    default:
        throw std::runtime_error("decode attention: more than 8 queries a key head");
    }
    finish<<<unsigned(p.batch * p.queryHeads), warp, 0, on(stream)>>>(p);
    checkLaunch("decode attention");
}

} // namespace pha::kernels

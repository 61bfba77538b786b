// SPDX-License-Identifier: GPL-3.0-or-later
// One token a text through the whole network in one kernel: step.h.
#include "engine/model/cuda/step_alone.cuh"
#include "engine/model/cuda/step_join.cuh"
#include "engine/model/cuda/step_norm.cuh"
#include "engine/model/cuda/step_product.cuh"
#include "engine/model/cuda/step_scan.cuh"

#include <algorithm>

namespace pha::kernels {

namespace {

/// What gives a product its inputs, by all workers.
template <class W> __device__ void give(W& w, const StepTask& t, StepKind kind)
{
    if (kind == StepKind::Norm)
        w.norm(t.norm);
    else
        join(w, t.join);
}

template <int Group, bool Wide, class W> __device__ void work(W& w, const StepTask* tasks, int count)
{
    constexpr int ahead = descriptions - 2;
    const auto task = [&](int i) -> const StepTask& { return w.shared.task[i % descriptions]; };
    const auto kindOf = [](const StepTask& t) { return StepKind(uniform(int(t.kind))); };
    const auto gives = [](StepKind kind) { return kind == StepKind::Norm || kind == StepKind::Join; };
    /// For others. A step's first norm reads memory, and after the weights were asked for it would wait behind them.
    const auto waits = [](const StepTask& t, StepKind kind) {
        return kind == StepKind::Join || (kind == StepKind::Norm && !t.norm.begins);
    };
    bool given = false; // by the task before, which waits until its product has all else
    w.shared.best[w.thread] = 0;
#pragma unroll 1
    for (int i = -ahead; i < count; ++i) {
        const int next = i + ahead;
        if (w.w == workers - 1) copyTask(&w.shared.task[next % descriptions], tasks + next, next < count, w.lane);
        if (i == -1) w.meet();
        if (i < 0) continue;
        w.forgetPlaces();
        const auto& t = task(i);
        const auto kind = kindOf(t);
        const bool product = kind == StepKind::Product;
        if (W::alone && waits(t, kind) && i + 1 < count && kindOf(task(i + 1)) == StepKind::Product) {
            given = true;
            continue;
        }
        if (W::alone && (product || gives(kind))) {
            w.hold(t);
            const auto& giver = given ? task(i - 1) : t;
            if (given || !product) give(w, giver, kindOf(giver));
            given = false;
            if (product) {
                w.product(t.product, t.finish);
            } else {
                w.meet();
                w.forget();
            }
            continue;
        }
        if (!W::alone && product) {
            w.product(t.product, t.finish);
            continue;
        }
        if (!W::alone && gives(kind))
            give(w, t, kind);
        else if (kind == StepKind::Attend)
            attend<Group, Wide>(w, t.attend);
        else
            scan(w, t.scan);
        w.forget();
    }
    constexpr int lanes = W::alone ? warp : 8; // of a text
    Word best = w.shared.best[w.thread];
#pragma unroll 1
    for (int d = lanes / 2; d > 0; d /= 2) best = max(best, __shfl_xor_sync(0xffffffffu, best, d));
    if (w.lane % lanes == 0 && best) atomicMax(w.p.control->best + (W::alone ? 0 : w.thread / lanes), best);
}

template <int NB, bool Alone, int Group, bool Wide>
__global__ void __launch_bounds__(stepThreads, 1) readToken(const __grid_constant__ Card p)
{
#if __CUDA_ARCH__ >= 900
    extern __shared__ __align__(128) unsigned char memory[];
    auto& shared = *reinterpret_cast<Shared<NB, Alone>*>(memory);
    const int thread = threadIdx.x, w = uniform(thread / warp), lane = thread % warp;
    const Ring ring { memory + sizeof(shared), shared.full, shared.empty, p.slots };
    if (thread == 0) {
#pragma unroll 1
        for (int i = 0; i < p.slots; ++i) initBarrier(shared.full + i, 1), initBarrier(shared.empty + i, workers);
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    if constexpr (Alone) { // what nobody writes is multiplied by zeros
        for (int i = thread; i < mostWidth; i += stepThreads) shared.normed[i] = narrow(0);
        for (int i = thread; i < mostInner; i += stepThreads) shared.staged[i] = narrow(0);
    }
    const int position = uniform(int(p.control->position));
    const unsigned tag = p.control->step + 1;
    const int first = uniform(p.begin[blockIdx.x]), count = uniform(p.begin[blockIdx.x + 1]) - first;
    __syncthreads();
    if (w == workers) {
        Fetcher fetcher { ring, lane, position, readOnce() };
        fetcher.run(p.tasks + first, count, shared.coming, p);
    } else {
        Worker<NB, Alone> worker { p, shared, ring, thread, w, lane, position, tag };
        work<Group, Wide>(worker, p.tasks + first, count);
    }
    __syncthreads();
    if (thread == 0) leave(p);
#endif
}

template <int NB, bool Alone, int Group, bool Wide> void launch(Card& card, Stream stream)
{
    constexpr auto shared = sizeof(Shared<NB, Alone>);
    const int most = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
    cudaFuncSetAttribute(readToken<NB, Alone, Group, Wide>, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
    card.slots = std::min(mostSlots, int((std::size_t(most) - shared) / slotBytes));
    void* arguments[] = { &card };
    cudaLaunchCooperativeKernel(reinterpret_cast<void*>(readToken<NB, Alone, Group, Wide>),
        dim3(unsigned(processors())), dim3(stepThreads), arguments, shared + std::size_t(card.slots) * slotBytes,
        on(stream));
    checkLaunch("step");
}

template <int Group, bool Wide> void launch(Card& card, Stream stream)
{
    if (card.batch == 1)
        launch<1, true, Group, Wide>(card, stream);
    else if (card.batch <= 8)
        launch<1, false, Group, Wide>(card, stream);
    else if (card.batch <= 16)
        launch<2, false, Group, Wide>(card, stream);
    else
        launch<4, false, Group, Wide>(card, stream);
}

} // namespace

int stepProcessors()
{
    return attribute(cudaDevAttrComputeCapabilityMajor) == 9 ? processors() : 0;
}

void step(const StepLaunch& l, Stream stream)
{
    const auto& m = *l.model;
    Card card { l.tasks, l.begin, static_cast<Word*>(l.words), l.control, l.ids, l.logits, m.embedding, m.cosine,
        m.sine, m.batch, m.width, m.vocabulary, 0, m.embeddingScale, m.eps, 1 / float(m.width), m.embeddingWide };
    const int group = l.plan->group; // kernels of their own: what is small stays in the cache for instructions
    l.plan->headWidth > 64 ? launch<mostGroup, true>(card, stream)
        : group <= 1       ? launch<1, false>(card, stream)
        : group <= 3       ? launch<3, false>(card, stream)
        : group <= 5       ? launch<5, false>(card, stream)
                           : launch<mostGroup, false>(card, stream);
}

} // namespace pha::kernels

// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/processor_step.h"

#include "engine/model/processor_work.h"

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>

#include <array>
#include <cmath>
#include <deque>

namespace pha::cpu {

namespace {

constexpr std::int64_t lanes = 8, mostTexts = 32;

Activation activation(kernels::Activation kind)
{
    return kind == kernels::Activation::SwiGlu ? Activation::SwiGlu
        : kind == kernels::Activation::Gelu    ? Activation::Gelu
        : kind == kernels::Activation::Relu2   ? Activation::Relu2
                                               : Activation::GeluTanh;
}

/// The weights of a stage's branches as they are now.
void weigh(StepNorm& norm, const kernels::StepStage& stage)
{
    using kernels::StepMix;
    double sum = 0, w[kernels::mostBranches] {};
    for (int k = 0; k < norm.branches; ++k) {
        const double z = stage.logits ? stage.logits[k] : 0;
        w[k] = stage.mix == StepMix::Fixed   ? 1.0 / norm.branches
            : stage.mix == StepMix::Softplus ? (z > 30 ? z : std::log1p(std::exp(z)))
            : stage.mix == StepMix::Softmax  ? std::exp(z)
            : stage.mix == StepMix::Sigmoid  ? 1 / (1 + std::exp(-z))
            : stage.mix == StepMix::Weights  ? z
                                             : 1;
        sum += w[k];
    }
    const bool shares = stage.mix == StepMix::Softplus || stage.mix == StepMix::Softmax;
    for (int k = 0; k < norm.branches; ++k) {
        const bool given = stage.given && !std::isnan(stage.given[k]);
        norm.weights[k] = given ? stage.given[k] : float(shares ? w[k] / sum : w[k]);
    }
}

} // namespace

struct ProcessorStep::Impl {
    explicit Impl(const kernels::StepModel& model)
        : m(model)
        , columns(model.batch == 1 ? 1 : quotientUp(model.batch, lanes) * lanes)
    {
        for (auto& z : branch) z = floats(m.width);
        stream = floats(m.width), normed = floats(m.width);
        const kernels::StepStage* before = nullptr;
        for (const auto& stage : m.stages) {
            norm(before, stage.gain);
            first = levels.size();
            levels.resize(first + 4);
            for (std::size_t k = 0; k < stage.parts.size(); ++k)
                std::visit([&](const auto& part) { add(part, k); }, stage.parts[k]);
            before = &stage;
        }
        norm(before, m.outGain);
        levels.push_back({ product(m.head, m.width, m.vocabulary, normed, nullptr, StepFinish::Logits) });
        std::erase_if(levels, [](const Level& level) { return level.empty(); });
        progress = std::vector<Progress>(levels.size());
        // Half a millisecond of one: below it a thread that something else keeps away costs more than it brings.
        constexpr std::int64_t ofAThread = 8 << 20; // bytes times columns
        const auto wanted = bytes * quotientUp(columns, lanes) / ofAThread;
        threads = std::clamp<std::int64_t>(wanted, 1, std::max(1, at::get_num_threads()));
        scratches = std::vector<std::vector<float>>(std::size_t(threads), std::vector<float>(std::size_t(scratch)));
    }

    /// `count` features of all texts, which live as long as this.
    float* floats(std::int64_t count)
    {
        memories.emplace_back(std::size_t(count * columns), 0.0f);
        return memories.back().data();
    }
    /// The same for all stages: only one of them is at work at a time.
    float* shared(std::size_t which, std::int64_t count)
    {
        auto& memory = pool[which];
        if (memory.second < count) memory = { floats(count), count };
        return memory.first;
    }
    /// The stream is given what the parts of `stage` found, and normed.
    void norm(const kernels::StepStage* stage, const float* gain)
    {
        NormWork work { {}, stage };
        auto& n = work.all;
        n.width = m.width, n.columns = columns, n.eps = m.eps, n.gain = gain, n.x = stream, n.y = normed;
        n.alpha = stage ? stage->alpha : 1;
        if (stage) {
            n.branches = int(stage->parts.size()), n.normed = stage->mix != kernels::StepMix::Plain;
            n.beta = stage->beta;
            std::copy(branch.begin(), branch.end(), n.z);
        }
        levels.push_back({ work });
    }
    ProductWork product(const void* matrix, std::int64_t inner, std::int64_t outer, const float* x, float* y,
        StepFinish finish = StepFinish::Plain, const float* gate = nullptr)
    {
        constexpr std::int64_t bytesEach = 65536, tile = 12; // of rows, as products of several columns take them
        const std::int64_t row = inner * (m.narrow ? 2 : 4);
        const ProductWork p { { matrix, nullptr, m.narrow, inner, outer, columns, m.batch, finish, Activation::Gelu,
                                  gate },
            quotientUp(quotientUp(bytesEach, row), tile) * tile, x, y };
        bytes += row * outer;
        scratch = std::max(scratch, stepRowsScratch(p.rows, p.each));
        return p;
    }
    Level& level(std::size_t which) { return levels[first + which]; } ///< of the stage that is being added

    void add(const kernels::StepAttention& a, std::size_t k)
    {
        const std::int64_t dh = a.headWidth, q = a.queryHeads * dh, kv = a.kvHeads * dh;
        const auto parts = stepPieces(a.room) * m.batch * a.queryHeads * (dh + 2);
        auto *qkv = shared(4 * k, q + 2 * kv), *out = shared(4 * k + 1, q),
             *pieces = shared(4 * k + 2, quotientUp(parts, columns));
        level(0).push_back(product(a.query, m.width, q, normed, qkv));
        level(0).push_back(product(a.key, m.width, kv, normed, qkv + q * columns));
        level(0).push_back(product(a.value, m.width, kv, normed, qkv + (q + kv) * columns));
        const StepAttention all { m.narrow, a.normed, columns, a.kvHeads, a.queryHeads / a.kvHeads, dh, a.room, a.span,
            a.eps, a.queryScale, a.temperature, a.rotated ? m.cosine : nullptr, a.rotated ? m.sine : nullptr, a.keys,
            a.values, qkv, out, pieces };
        scratch = std::max(scratch, stepAttentionScratch(all));
        level(1).insert(level(1).begin(), AttendWork { all, m.batch }); // the largest pieces first
        level(2).push_back(JoinWork { all, m.batch });
        level(3).push_back(product(a.output, q, m.width, out, branch[k]));
    }
    void add(const kernels::StepGss& g, std::size_t k)
    {
        const std::int64_t E = g.expandWidth, h = g.channels;
        auto *gate = shared(4 * k, E), *in = shared(4 * k + 1, h), *out = shared(4 * k + 2, h),
             *gated = shared(4 * k + 3, E);
        level(0).push_back(product(g.value, m.width, E, normed, gate));
        level(0).push_back(product(g.input, m.width, h, normed, in, StepFinish::Activate));
        level(1).push_back(ScanWork { { columns, h, g.states, g.sharedLambda, g.lambdaRe, g.lambdaIm, g.cRe, g.cIm,
                                          g.normGain, g.skip, g.stateRe, g.stateIm, in, out, m.eps },
            m.batch });
        level(2).push_back(product(g.expand, h, E, out, gated, StepFinish::Gate, gate));
        level(3).push_back(product(g.output, E, m.width, gated, branch[k]));
    }
    void add(const kernels::StepFeedForward& f, std::size_t k)
    {
        auto* hidden = shared(4 * k, f.hidden);
        auto up = product(f.gate ? f.gate : f.up, m.width, f.hidden, normed, hidden, StepFinish::Activate);
        up.rows.activation = activation(f.kind);
        if (f.gate) up.rows.second = f.up;
        level(0).push_back(up);
        level(1).push_back(product(f.down, f.hidden, m.width, hidden, branch[k]));
    }

    void embed(const std::int64_t* ids)
    {
        std::fill(stream, stream + m.width * columns, 0.0f);
        for (std::int64_t b = 0; b < m.batch; ++b)
            for (std::int64_t c = 0; c < m.width; ++c) {
                const auto at = ids[b] * m.width + c;
                const float x = m.embeddingWide ? static_cast<const float*>(m.embedding)[at]
                                                : float(static_cast<const at::BFloat16*>(m.embedding)[at]);
                stream[c * columns + b] = x * m.embeddingScale;
            }
    }
    /// One thread's way through a step.
    void walk(const Step& step)
    {
        for (std::size_t i = 0; i < levels.size(); ++i) {
            auto& level = progress[i];
            std::int64_t begin = 0, task = level.take(); // of `work`; that this thread has to do
            for (const auto& work : levels[i]) {
                const auto end = begin + tasks(work, step.position);
                for (; task < end; task = level.take()) {
                    std::visit([&](const auto& p) { cpu::run(p, step, task - begin); }, work);
                    level.finish();
                }
                begin = end;
            }
            level.await(begin);
        }
    }
    void read(const std::int64_t* ids, std::int64_t position, float* logits)
    {
        for (auto& level : levels)
            if (auto* norm = std::get_if<NormWork>(&level.front()); norm && norm->stage) weigh(norm->all, *norm->stage);
        for (auto& level : progress) level.begin();
        embed(ids);
        at::parallel_for(0, threads, 1, [&](std::int64_t from, std::int64_t) {
            walk({ position, logits, scratches[std::size_t(from)].data() });
        });
    }

    const kernels::StepModel m;
    const std::int64_t columns;
    std::array<float*, kernels::mostBranches> branch {};
    std::deque<std::vector<float>> memories;
    std::array<std::pair<float*, std::int64_t>, std::size_t { 4 } * kernels::mostBranches> pool {};
    float *stream = nullptr, *normed = nullptr; ///< (D,columns)
    std::vector<Level> levels;
    std::vector<Progress> progress;
    std::size_t first = 0; ///< level of the stage that is being added
    std::int64_t scratch = 0, bytes = 0, threads = 1;
    std::vector<std::vector<float>> scratches; ///< of the threads
};

ProcessorStep::ProcessorStep(const kernels::StepModel& model)
    : impl_(std::make_unique<Impl>(model))
{
}
ProcessorStep::~ProcessorStep() = default;
void ProcessorStep::run(const std::int64_t* ids, std::int64_t position, float* logits)
{
    impl_->read(ids, position, logits);
}

bool ProcessorStep::fits(const kernels::StepModel& m)
{
    const auto whole = [](std::initializer_list<int> widths) {
        return std::all_of(widths.begin(), widths.end(), [](int n) { return n % lanes == 0; });
    };
    const auto part = [&](const auto& p) {
        using Part = std::decay_t<decltype(p)>;
        if constexpr (std::is_same_v<Part, kernels::StepAttention>)
            return p.queryHeads % p.kvHeads == 0 && whole({ p.headWidth });
        else if constexpr (std::is_same_v<Part, kernels::StepGss>)
            return whole({ p.expandWidth, p.channels });
        else
            return whole({ p.hidden });
    };
    return m.batch <= mostTexts && whole({ m.width })
        && std::all_of(m.stages.begin(), m.stages.end(), [&](const kernels::StepStage& stage) {
               return stage.parts.size() <= kernels::mostBranches
                   && std::all_of(stage.parts.begin(), stage.parts.end(),
                       [&](const kernels::StepPart& p) { return std::visit(part, p); });
           });
}

} // namespace pha::cpu

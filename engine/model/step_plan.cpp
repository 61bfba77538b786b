// SPDX-License-Identifier: GPL-3.0-or-later
// Which multiprocessor does which part of a step (cuda/step.h).
#include "engine/model/step_board.h"

#include <algorithm>
#include <deque>

namespace pha::kernels {

namespace {

constexpr int normedInput = -1, joinedInput = -2;

constexpr std::int64_t bf16Bytes = 2;
const void* offset(const void* p, std::int64_t elements)
{
    return p ? static_cast<const char*>(p) + elements * bf16Bytes : nullptr;
}
void* offset(void* p, std::int64_t elements) { return static_cast<char*>(p) + elements * bf16Bytes; }

class Builder {
public:
    Builder(const StepModel& model, int multiprocessors)
        : m_(model)
        , board_(multiprocessors, model.batch == 1)
        , alone_(model.batch == 1)
    {
    }
    void build()
    {
        StepNorm update; // what the stream has still to be given
        update.begins = true;
        for (const auto& stage : m_.stages) {
            begin(stage.gain, update);
            update = run(stage);
        }
        begin(m_.outGain, update);
        level_.push_back({ StepFinish::Logits, { m_.head, nullptr }, m_.width, m_.vocabulary, stream_, 0, 0 });
        finishLevel();
    }
    void write(StepPlan& plan) const
    {
        plan.words = words_;
        plan.group = group_;
        plan.headWidth = headWidth_;
        for (int i = 0; i < board_.size(); ++i) {
            plan.begin.push_back(int(plan.tasks.size()));
            plan.tasks.insert(plan.tasks.end(), board_.of(i).begin(), board_.of(i).end());
        }
        plan.begin.push_back(int(plan.tasks.size()));
    }

private:
    static StepTask task(StepKind kind, StepFinish finish = StepFinish::Wide)
    {
        StepTask t;
        t.kind = kind;
        t.finish = finish;
        return t;
    }
    int words(std::int64_t count)
    {
        const auto at = words_;
        words_ += (count + 15) / 16 * 16;
        return int(at);
    }
    int packedWords(int inner) { return words(std::int64_t(m_.batch) * inner / 2); }
    /// fp32 results: words of their own, or, of one text, two in a word.
    int wide(int count) const { return alone_ ? count / 2 : count; }
    int wideWords(int outer) { return words(std::int64_t(m_.batch) * wide(outer)); }

    /// The stream is given its update and normed: by everyone for himself, or each text by one.
    void begin(const float* gain, StepNorm update)
    {
        board_.nextLevel();
        update.gain = gain;
        const int out = alone_ ? 0 : packedWords(m_.width);
        stream_ = alone_ ? normedInput : out;
        for (int i = 0; i < (alone_ ? board_.size() : m_.batch); ++i) {
            auto t = task(StepKind::Norm);
            t.norm = update;
            t.norm.row = alone_ ? 0 : i;
            t.norm.out = out + t.norm.row * m_.width / 2;
            board_.give(std::size_t(i), t, 0);
        }
        board_.nextLevel();
    }
    void finishLevel()
    {
        const int rows = rowsATask(level_, alone_, board_), run = alone_ ? 1 : tasksInTurn(level_, rows, board_.size());
        for (const auto& all : level_)
            for (int part = 0; part < all.parts; ++part) give(all, part, all.matrix.second ? rows / 2 : rows, run);
        level_.clear();
        board_.nextLevel();
    }
    void give(const StepRows& all, int part, int rows, int run)
    {
        std::size_t who = 0;
        for (int row = 0; row < all.outer; row += rows) {
            if (row / rows % run == 0) who = board_.idlest();
            product(all, part, row, std::min(rows, all.outer - row), who);
        }
    }
    void product(const StepRows& all, int part, int row, int rows, std::size_t who)
    {
        const int each = (all.inner + 32 * all.parts - 1) / (32 * all.parts) * 32;
        const bool narrow = all.finish != StepFinish::Wide && all.finish != StepFinish::WideGelu;
        auto t = task(StepKind::Product, all.finish);
        const auto from = [&](const void* p) { return offset(p, std::int64_t(row) * all.inner); };
        t.product = StepProduct {};
        t.product.first = from(all.matrix.first);
        t.product.second = from(all.matrix.second);
        t.product.inner = all.inner;
        t.product.begin = part * each;
        t.product.count = std::min(each, all.inner - part * each);
        t.product.rows = all.matrix.second ? 2 * rows : rows;
        t.product.source = all.source;
        t.product.out = all.out + part * m_.batch * all.outer + (narrow ? row / 2 : wide(row));
        t.product.outStride = all.outStride;
        t.product.row = row;
        t.product.gate = all.gate + wide(row);
        t.product.gateStride = all.outer;
        if (all.joined && !board_.has(who, StepKind::Join, all.joined->in)) {
            auto join = task(StepKind::Join);
            join.join = *all.joined;
            board_.give(who, join, 0);
        }
        board_.give(who, t, double(t.product.rows) * t.product.count * bf16Bytes);
    }

    StepNorm run(const StepStage& stage)
    {
        StepNorm update;
        update.branches = int(stage.parts.size());
        update.mix = stage.mix;
        update.logits = stage.logits;
        update.given = stage.given;
        update.alpha = stage.alpha;
        update.beta = stage.beta;
        // Side by side: what reads the stream, what follows it, what follows that.
        std::vector<int> places(3 * stage.parts.size());
        for (int level = 0; level < 4; ++level) {
            for (std::size_t i = 0; i < stage.parts.size(); ++i)
                std::visit([&](const auto& part) { work(part, level, &places[3 * i], update.z[i], update.parts[i]); },
                    stage.parts[i]);
            finishLevel();
        }
        return update;
    }

    /// The words of a branch's output and how many parts it is the sum of.
    void output(StepMatrix matrix, int inner, int source, int& z, int& parts, const StepJoin* joined = nullptr)
    {
        parts = alone_ ? 1 : (inner + stepHeld - 1) / stepHeld;
        z = wideWords(parts * m_.width);
        level_.push_back({ StepFinish::Wide, matrix, inner, m_.width, source, z, m_.width, 0, joined, parts });
    }
    void work(const StepAttention& a, int level, int* place, int& z, int& parts)
    {
        const int dh = a.headWidth, heads = a.queryHeads + 2 * a.kvHeads, stride = heads * dh, D = a.queryHeads * dh;
        const int splits = splitsOf(a), together = headsTogether(a, splits);
        group_ = std::max(group_, together);
        headWidth_ = std::max(headWidth_, dh);
        if (level == 0) {
            place[0] = wideWords(stride);
            const auto part = [&](const void* w, int count, int first) {
                level_.push_back({ StepFinish::Wide, { w, nullptr }, m_.width, count * dh, stream_,
                    place[0] + wide(first * dh), stride });
            };
            part(a.query, a.queryHeads, 0);
            part(a.key, a.kvHeads, a.queryHeads);
            part(a.value, a.kvHeads, a.queryHeads + a.kvHeads);
        } else if (level == 1) {
            place[1] = packedWords(D);
            if (splits > 1) place[2] = words(std::int64_t(m_.batch) * a.queryHeads * stepPartWords(dh, splits));
            for (int b = 0; b < m_.batch; ++b)
                for (int first = 0; first < a.queryHeads; first += together)
                    for (int s = 0; s < splits; ++s) attend(a, place, b, first, together, s, splits);
        } else if (level == 2) {
            auto& join = joins_.emplace_back();
            join.in = place[2];
            join.stride = stepPartWords(dh, splits);
            join.splits = splits;
            join.headWidth = dh;
            join.width = D;
            join.out = place[1];
            const bool everyone = splits > 1 && alone_;
            for (int b = 0; splits > 1 && !alone_ && b < m_.batch; ++b) {
                auto t = task(StepKind::Join);
                t.join = join;
                t.join.in += b * a.queryHeads * join.stride;
                t.join.out += b * D / 2;
                board_.give(board_.idlest(), t, 0);
            }
            output({ a.output, nullptr }, D, everyone ? joinedInput : place[1], z, parts, everyone ? &join : nullptr);
        }
    }
    void attend(const StepAttention& a, const int* place, int b, int first, int together, int s, int splits)
    {
        const int dh = a.headWidth, h = first * a.kvHeads / a.queryHeads;
        const int text = place[0] + b * (a.queryHeads + 2 * a.kvHeads) * dh;
        const auto cache = (std::int64_t(b) * a.kvHeads + h) * a.room * dh;
        auto t = task(StepKind::Attend);
        t.attend = StepAttend {};
        auto& to = t.attend;
        to.keys = offset(a.keys, cache);
        to.values = offset(a.values, cache);
        to.temperature = a.temperature ? a.temperature + first : nullptr;
        to.query = text + wide(first * dh);
        to.key = text + wide((a.queryHeads + h) * dh);
        to.value = text + wide((a.queryHeads + a.kvHeads + h) * dh);
        to.group = together;
        to.keeps = first * a.kvHeads % a.queryHeads == 0;
        to.headWidth = dh;
        to.slotKeys = stepSlotBytes / (4 * dh) / 8 * 8;
        to.split = s;
        to.splits = splits;
        to.outStride = splits > 1 ? stepPartWords(dh, splits) : dh / 2;
        const int head = b * a.queryHeads + first;
        to.out = splits > 1 ? place[2] + head * to.outStride : place[1] + head * dh / 2;
        to.span = int(a.span);
        to.eps = a.eps;
        to.queryScale = a.queryScale;
        to.normed = a.normed;
        to.rotated = a.rotated;
        board_.give(board_.idlest(), t, 4.0 * double(keysOf(a)) * dh / splits);
    }
    /// Keys that a step reads; of chunks, as many as the longest has.
    std::int64_t keysOf(const StepAttention& a) const { return a.span > 0 ? std::min(a.span, m_.length) : m_.length; }
    /// Parts that one head's keys are read in: enough to give work to all.
    int splitsOf(const StepAttention& a) const
    {
        constexpr int fewest = 224, most = 32; // keys worth a multiprocessor; parts that join() takes
        const auto wanted = std::min<std::int64_t>((keysOf(a) + fewest - 1) / fewest, most);
        return std::max(1, std::min(int(wanted), board_.size() / (m_.batch * a.kvHeads)));
    }

    /// Query heads of a task: all that share keys; of one text one, where there are multiprocessors for that.
    int headsTogether(const StepAttention& a, int splits) const
    {
        return alone_ && a.queryHeads * splits <= board_.size() ? 1 : a.queryHeads / a.kvHeads;
    }

    void work(const StepGss& g, int level, int* place, int& z, int& parts)
    {
        const int E = g.expandWidth, h = g.channels;
        if (level == 0) {
            place[0] = wideWords(E), place[1] = wideWords(h);
            level_.push_back({ StepFinish::WideGelu, { g.value, nullptr }, m_.width, E, stream_, place[0], E });
            level_.push_back({ StepFinish::WideGelu, { g.input, nullptr }, m_.width, h, stream_, place[1], h });
        } else if (level == 1) {
            place[2] = packedWords(h);
            for (int b = 0; b < m_.batch; ++b)
                for (int c = 0; c < h; c += scanChannels()) scan(g, place, b, c);
        } else if (level == 2) {
            const int gated = packedWords(E);
            level_.push_back({ StepFinish::Gate, { g.expand, nullptr }, h, E, place[2], gated, E / 2, place[0] });
            place[1] = gated;
        } else {
            output({ g.output, nullptr }, E, place[1], z, parts);
        }
    }
    int scanChannels() const { return alone_ ? 16 : 32; }
    void scan(const StepGss& g, const int* place, int b, int c)
    {
        const auto at = std::int64_t(c) * g.states, state = std::int64_t(b) * g.channels * g.states + at;
        auto t = task(StepKind::Scan);
        t.scan = StepScan {};
        auto& to = t.scan;
        to.from[0] = g.lambdaRe + (g.sharedLambda ? 0 : at);
        to.from[1] = g.lambdaIm + (g.sharedLambda ? 0 : at);
        to.from[2] = g.cRe + at;
        to.from[3] = g.cIm + at;
        to.state[0] = g.stateRe + state;
        to.state[1] = g.stateIm + state;
        to.gain = g.normGain;
        to.skip = g.skip;
        to.in = place[1] + b * g.channels;
        to.out = place[2] + b * g.channels / 2;
        to.first = c;
        to.count = std::min(scanChannels(), g.channels - c);
        to.channels = g.channels;
        to.states = g.states;
        to.sharedLambda = g.sharedLambda;
        board_.give(board_.idlest(), t, 24.0 * to.count * g.states);
    }

    void work(const StepFeedForward& f, int level, int* place, int& z, int& parts)
    {
        if (level == 0) {
            place[0] = packedWords(f.hidden);
            const auto finish = f.kind == Activation::SwiGlu ? StepFinish::SwiGlu
                : f.kind == Activation::Gelu                 ? StepFinish::Gelu
                : f.kind == Activation::GeluTanh             ? StepFinish::GeluTanh
                                                             : StepFinish::Relu2;
            const StepMatrix matrix = f.gate ? StepMatrix { f.gate, f.up } : StepMatrix { f.up, nullptr };
            level_.push_back({ finish, matrix, m_.width, f.hidden, stream_, place[0], f.hidden / 2 });
        } else if (level == 2) { // the other branches are longer, and their tasks of level 1 slower
            output({ f.down, nullptr }, f.hidden, place[0], z, parts);
        }
    }

    const StepModel& m_;
    Board board_;
    bool alone_;
    std::vector<StepRows> level_;
    std::deque<StepJoin> joins_; ///< that level_ points at
    int stream_ = 0, group_ = 1, headWidth_ = 0;
    std::int64_t words_ = 16; // the first ones stay unused: place 0 means none
};

} // namespace

StepPlan::StepPlan(const StepModel& model, int multiprocessors)
{
    Builder builder(model, multiprocessors);
    builder.build();
    builder.write(*this);
}

} // namespace pha::kernels

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <stdexcept>
#include <vector>

/// The table of a step (engine/model/cuda/step.h) worked off by a processor, plainly: multiprocessors take turns, each
/// does its next task once the words that this reads are there. Throws if nobody can go on, or a word is written twice.
namespace pha::test {

class StepInterpreter {
public:
    void operator()(const kernels::StepLaunch& launch)
    {
        l_ = &launch;
        m_ = launch.model;
        auto& control = *launch.control;
        tag_ = control.step + 1;
        position_ = int(control.position);
        const int count = int(launch.plan->begin.size()) - 1;
        places_.assign(std::size_t(count), Place(std::size_t(m_->width)));
        std::vector<int> next(launch.begin, launch.begin + count);
        for (bool moved = true, left = true; left; moved = false) {
            left = false;
            for (int who = 0; who < count; ++who) {
                auto& at = next[std::size_t(who)];
                for (; at < launch.begin[who + 1] && run(launch.tasks + at, places_[std::size_t(who)]); ++at)
                    moved = true;
                left |= at < launch.begin[who + 1];
            }
            if (left && !moved) throw std::logic_error("a task of the step waits for words that nobody writes");
        }
        for (int b = 0; b < m_->batch; ++b) {
            const auto* row = launch.logits + std::int64_t(b) * m_->vocabulary;
            launch.ids[b] = std::max_element(row, row + m_->vocabulary) - row;
        }
        ++control.step;
        ++control.position;
    }
    std::map<kernels::StepKind, int> done; ///< tasks so far, by kind

private:
    using Values = std::vector<float>;
    struct Place { ///< what a multiprocessor keeps
        explicit Place(std::size_t width)
            : stream(width)
            , normed(width)
            , joined(width)
        {
        }
        Values stream, normed, joined;
    };
    struct NotYet { };

    static float bf16At(const void* p, std::int64_t i)
    {
        return asFloat(std::uint32_t(static_cast<const std::uint16_t*>(p)[i]) << 16);
    }
    static float asFloat(std::uint32_t bits)
    {
        float x;
        std::memcpy(&x, &bits, sizeof x);
        return x;
    }
    static std::uint32_t bitsOf(float x)
    {
        std::uint32_t bits;
        std::memcpy(&bits, &x, sizeof x);
        return bits;
    }
    static std::uint16_t rounded(float x) ///< to bf16, ties to even
    {
        const auto bits = bitsOf(x);
        return std::uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
    std::uint64_t& word(std::int64_t at) const
    {
        if (at <= 0 || at >= l_->plan->words) throw std::logic_error("a word outside the exchange");
        return static_cast<std::uint64_t*>(l_->words)[at];
    }
    std::uint32_t read(std::int64_t at) const
    {
        const auto w = word(at);
        if (std::uint32_t(w >> 32) != tag_) throw NotYet {};
        return std::uint32_t(w);
    }
    /// The i-th of fp32 results.
    float wide(std::int64_t at, std::int64_t i) const { return m_->batch == 1 ? narrow(at, i) : asFloat(read(at + i)); }
    float packed(std::int64_t at, std::int64_t i) const
    {
        const auto both = read(at + i / 2);
        return asFloat(i % 2 ? both & 0xffff0000u : both << 16);
    }
    void write(std::int64_t at, std::uint32_t value) const
    {
        auto& w = word(at);
        if (std::uint32_t(w >> 32) == tag_) throw std::logic_error("a word is written twice");
        w = std::uint64_t(tag_) << 32 | value;
    }
    /// The i-th of floats that stand two to a word, whose last bit is the step's.
    float narrow(std::int64_t at, std::int64_t i) const
    {
        const auto w = word(at + i / 2);
        if (w % 2 != tag_ % 2) throw NotYet {};
        return asFloat(std::uint32_t(w >> i % 2 * 32));
    }
    void writeNarrow(std::int64_t at, const Values& x) const
    {
        for (std::size_t i = 0; i < x.size(); i += 2) {
            auto& w = word(at + std::int64_t(i / 2));
            if (w % 2 == tag_ % 2) throw std::logic_error("a word is written twice");
            w = ((bitsOf(x[i]) & ~1u) | tag_ % 2) | std::uint64_t(bitsOf(x[i + 1])) << 32;
        }
    }
    void writePacked(std::int64_t at, const Values& x) const
    {
        for (std::size_t i = 0; i < x.size(); i += 2)
            write(at + std::int64_t(i / 2), rounded(x[i]) | std::uint32_t(rounded(x[i + 1])) << 16);
    }

    bool run(const kernels::StepTask* from, Place& place)
    {
        alignas(kernels::StepTask) unsigned char memory[sizeof(kernels::StepTask)];
        std::memcpy(memory, from, sizeof memory);
        const auto& t = *reinterpret_cast<const kernels::StepTask*>(memory);
        using kernels::StepKind;
        try {
            if (t.kind == StepKind::Product) product(t, place);
            if (t.kind == StepKind::Norm) norm(t.norm, place);
            if (t.kind == StepKind::Attend) attend(t.attend);
            if (t.kind == StepKind::Join) join(t.join, place);
            if (t.kind == StepKind::Scan) scan(t.scan);
        } catch (const NotYet&) { // before anything was written: all reading comes first
            return false;
        }
        ++done[t.kind];
        return true;
    }

    static float gelu(float x) { return x * 0.5f * (1 + std::erf(x / std::sqrt(2.0f))); }
    static float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

    void product(const kernels::StepTask& task, const Place& place)
    {
        using kernels::StepFinish;
        const auto& t = task.product;
        std::vector<Values> y(std::size_t(m_->batch), Values(std::size_t(t.rows)));
        for (int b = 0; b < m_->batch; ++b) {
            Values x(std::size_t(t.count));
            for (int k = 0; k < t.count; ++k)
                x[std::size_t(k)] = t.source == -1 ? place.normed[std::size_t(k)]
                    : t.source == -2               ? place.joined[std::size_t(k)]
                                                   : packed(t.source, std::int64_t(b) * t.inner + t.begin + k);
            for (int r = 0; r < t.rows; ++r) {
                const auto* w = t.second && r % 2 ? t.second : t.first;
                const auto row = std::int64_t(t.second ? r / 2 : r) * t.inner + t.begin;
                double sum = 0;
                for (int k = 0; k < t.count; ++k) sum += double(bf16At(w, row + k)) * x[std::size_t(k)];
                y[std::size_t(b)][std::size_t(r)] = float(sum);
            }
            for (int r = 0; task.finish == StepFinish::Gate && r < t.rows; ++r)
                y[std::size_t(b)][std::size_t(r)] *= wide(t.gate + std::int64_t(b) * t.gateStride, r);
        }
        for (int b = 0; b < m_->batch; ++b) finish(task, b, y[std::size_t(b)]);
    }
    void finish(const kernels::StepTask& task, int b, Values& y) const
    {
        using kernels::StepFinish;
        const auto& t = task.product;
        const auto out = t.out + std::int64_t(b) * t.outStride;
        if (task.finish == StepFinish::Logits) {
            std::copy(y.begin(), y.end(), l_->logits + std::int64_t(b) * m_->vocabulary + t.row);
            return;
        }
        if (task.finish == StepFinish::SwiGlu) {
            Values h;
            for (std::size_t i = 0; i < y.size(); i += 2) h.push_back(y[i] * sigmoid(y[i]) * y[i + 1]);
            return writePacked(out, h);
        }
        for (auto& x : y) {
            if (task.finish == StepFinish::Gelu || task.finish == StepFinish::WideGelu) x = gelu(x);
            if (task.finish == StepFinish::GeluTanh)
                x = 0.5f * x * (1 + std::tanh(std::sqrt(2 / 3.14159265f) * (x + 0.044715f * x * x * x)));
            if (task.finish == StepFinish::Relu2) x = x > 0 ? x * x : 0;
        }
        if (task.finish != StepFinish::Wide && task.finish != StepFinish::WideGelu) return writePacked(out, y);
        if (m_->batch == 1) return writeNarrow(out, y);
        for (std::size_t i = 0; i < y.size(); ++i) write(out + std::int64_t(i), bitsOf(y[i]));
    }

    Values mixing(const kernels::StepNorm& t) const
    {
        using kernels::StepMix;
        Values w;
        float sum = 0;
        for (int k = 0; k < t.branches; ++k) {
            const float z = t.logits ? t.logits[k] : 0;
            w.push_back(t.mix == StepMix::Fixed  ? 1 / float(t.branches)
                    : t.mix == StepMix::Softplus ? std::log1p(std::exp(z))
                    : t.mix == StepMix::Softmax  ? std::exp(z)
                    : t.mix == StepMix::Sigmoid  ? sigmoid(z)
                    : t.mix == StepMix::Weights  ? z
                                                 : 1);
            sum += w.back();
        }
        for (int k = 0; k < t.branches; ++k) {
            auto& own = w[std::size_t(k)];
            if (t.mix == StepMix::Softplus || t.mix == StepMix::Softmax) own /= sum;
            if (t.given && !std::isnan(t.given[k])) own = t.given[k];
        }
        return w;
    }
    float inverseRms(const Values& x) const
    {
        double squares = 0;
        for (const float v : x) squares += double(v) * v;
        return float(1 / std::sqrt(squares / double(x.size()) + m_->eps));
    }
    void norm(const kernels::StepNorm& t, Place& place)
    {
        const auto D = std::int64_t(m_->width);
        auto x = place.stream;
        if (t.begins) {
            for (std::int64_t c = 0; c < D; ++c) {
                const auto at = l_->ids[t.row] * D + c;
                x[std::size_t(c)] = m_->embeddingScale
                    * (m_->embeddingWide ? static_cast<const float*>(m_->embedding)[at] : bf16At(m_->embedding, at));
            }
        } else {
            const auto weights = mixing(t);
            for (auto& v : x) v *= t.alpha;
            for (int k = 0; k < t.branches; ++k) {
                Values z;
                for (std::int64_t c = 0; c < D; ++c) {
                    z.push_back(0);
                    for (std::int64_t part = 0; part < t.parts[k]; ++part)
                        z.back() += wide(t.z[k] + (part * m_->batch + t.row) * D, c);
                }
                const float scale = weights[std::size_t(k)] * (t.mix == kernels::StepMix::Plain ? 1 : inverseRms(z));
                for (std::size_t c = 0; c < z.size(); ++c) x[c] += t.beta * scale * z[c];
            }
        }
        place.stream = x;
        const float inverse = inverseRms(x);
        for (std::size_t c = 0; c < x.size(); ++c) x[c] *= inverse * t.gain[c];
        hand(place.normed, x, t.out);
    }
    void hand(Values& place, Values& x, int out) const
    {
        if (m_->batch > 1) return writePacked(out, x);
        for (auto& v : x) v = asFloat(std::uint32_t(rounded(v)) << 16);
        place = x;
    }

    Values head(int from, const kernels::StepAttend& t, float scale, bool changed) const
    {
        Values x;
        double squares = 0;
        for (int c = 0; c < t.headWidth; ++c) {
            x.push_back(wide(from, c));
            squares += double(x.back()) * x.back();
        }
        if (!changed) return x;
        if (t.normed) scale *= float(1 / std::sqrt(squares / t.headWidth + t.eps));
        const int half = t.headWidth / 2;
        for (auto& v : x) v *= scale;
        for (int c = 0; t.rotated && c < half; ++c) {
            const auto at = std::int64_t(position_) * half + c;
            auto &a = x[std::size_t(c)], &b = x[std::size_t(c + half)];
            const float x0 = a, x1 = b;
            a = x0 * m_->cosine[at] - x1 * m_->sine[at];
            b = x0 * m_->sine[at] + x1 * m_->cosine[at];
        }
        return x;
    }
    void attend(const kernels::StepAttend& t) const
    {
        const int kept = t.span > 0 ? position_ % t.span : position_, each = (kept / t.splits + 8) / 8 * 8;
        const int first = std::min(t.split * each, kept), last = std::min(first + each, kept);
        const bool owns = t.split == t.splits - 1;
        std::vector<Values> q;
        for (int g = 0; g < t.group; ++g) {
            const float tau = t.temperature ? std::min(std::exp(t.temperature[g]), 100.0f) : 1;
            q.push_back(
                head(t.query + g * (m_->batch == 1 ? t.headWidth / 2 : t.headWidth), t, t.queryScale * tau, true));
        }
        const auto dh = std::int64_t(t.headWidth);
        auto *keys = static_cast<std::uint16_t*>(t.keys), *values = static_cast<std::uint16_t*>(t.values);
        std::vector<std::uint16_t> ownKey, ownValue;
        std::vector<std::pair<const std::uint16_t*, const std::uint16_t*>> seen;
        for (int key = first; key < last; ++key) seen.emplace_back(keys + key * dh, values + key * dh);
        if (owns) {
            for (const float x : head(t.key, t, 1, true)) ownKey.push_back(rounded(x));
            for (const float x : head(t.value, t, 1, false)) ownValue.push_back(rounded(x));
            seen.emplace_back(ownKey.data(), ownValue.data()); // the cache need not have them yet
            if (t.keeps) std::copy(ownKey.begin(), ownKey.end(), keys + kept * dh);
            if (t.keeps) std::copy(ownValue.begin(), ownValue.end(), values + kept * dh);
        }
        for (int g = 0; g < t.group; ++g) {
            constexpr float log2e = 1.44269504f;
            float most = -1e30f, sum = 0;
            Values scores, y(std::size_t(dh), 0.0f);
            for (const auto& [key, value] : seen) {
                float s = 0;
                for (std::int64_t c = 0; c < dh; ++c) s += q[std::size_t(g)][std::size_t(c)] * bf16At(key, c);
                scores.push_back(s * log2e);
                most = std::max(most, scores.back());
            }
            for (std::size_t i = 0; i < seen.size(); ++i) {
                const float u = std::exp2(scores[i] - most);
                sum += u;
                for (std::int64_t c = 0; c < dh; ++c) y[std::size_t(c)] += u * bf16At(seen[i].second, c);
            }
            const auto out = t.out + g * t.outStride;
            if (t.splits == 1) {
                for (auto& v : y) v /= sum;
                writePacked(out, y);
                continue;
            }
            writeNarrow(out + t.split * dh / 2, y);
            writeNarrow(out + t.splits * dh / 2 + t.split, { most, sum });
            if (t.split == t.splits - 1 && t.splits % 2) writeNarrow(out + t.splits * dh / 2 + t.splits, { most, sum });
        }
    }
    void join(const kernels::StepJoin& t, Place& place) const
    {
        const int part = t.headWidth / 2;
        Values x;
        for (int c = 0; c < t.width; ++c) {
            const auto from = t.in + std::int64_t(c / t.headWidth) * t.stride, scales = from + t.splits * part;
            float most = -1e30f, sum = 0, y = 0;
            for (int s = 0; s < t.splits; ++s) most = std::max(most, narrow(scales + s, 0));
            for (int s = 0; s < t.splits; ++s) {
                const float u = std::exp2(narrow(scales + s, 0) - most);
                sum += u * narrow(scales + s, 1);
                y += u * narrow(from + s * part, c % t.headWidth);
            }
            x.push_back(y / sum);
        }
        hand(place.joined, x, t.out);
    }

    void scan(const kernels::StepScan& t) const
    {
        Values v;
        for (int c = 0; c < t.channels; ++c) v.push_back(wide(t.in, c));
        const float inverse = inverseRms(v);
        Values y;
        for (int c = t.first; c < t.first + t.count; ++c) {
            const float u = v[std::size_t(c)] * inverse * t.gain[c];
            double sum = 0;
            for (int n = 0; n < t.states; ++n) {
                const auto own = std::int64_t(c - t.first) * t.states + n, lambda = t.sharedLambda ? n : own;
                const float l0 = t.from[0][lambda], l1 = t.from[1][lambda], re = t.state[0][own], im = t.state[1][own];
                t.state[0][own] = l0 * re - l1 * im + u;
                t.state[1][own] = l0 * im + l1 * re;
                sum += t.from[2][own] * t.state[0][own] - t.from[3][own] * t.state[1][own];
            }
            y.push_back(float(sum) + t.skip[c] * u);
        }
        writePacked(t.out + t.first / 2, y);
    }

    const kernels::StepLaunch* l_ = nullptr;
    const kernels::StepModel* m_ = nullptr;
    std::vector<Place> places_;
    std::uint32_t tag_ = 0;
    int position_ = 0;
};

} // namespace pha::test

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/ssm.h"

#include <functional>
#include <string>
#include <vector>

namespace pha {

/// What a pass over one text (B = 1) shows of itself: where every part reads, what the stream is after each layer, and
/// the stream as the sum of all that was written to it. Layers and parts fill it as they go (Pass::watch); nothing of
/// it changes the pass, which takes the plain operations throughout.
class Watch {
public:
    struct Map {
        std::int64_t layer = 0;
        std::string part;
        Tensor shares; ///< (H,T,T): of the token at s in what is read at t >= s; rows sum to 1
        std::int64_t span = 0; ///< only the same chunk of so many tokens can be read; 0: all before
        Tensor halfLives; ///< of a state space: tokens, fp64; undefined elsewhere
    };
    struct Write {
        std::int64_t layer = -1; ///< -1: the embedding, and the biases of all norms
        std::string part;
        Tensor x; ///< (T,D), as much as is left of it in the stream
        Tensor written; ///< (T,D), before anything became of it
    };
    /// What flows through one place.
    struct Values {
        std::int64_t layer = -1; ///< -1: before all layers
        std::string part; ///< empty: the stream after the layer
        bool hidden = false; ///< behind the nonlinearity of a feed-forward network; otherwise what the part puts out
        Tensor x; ///< (T,C)
    };
    /// State spaces and recurrences are not asked where they read, which takes longer than the pass itself.
    bool attentionAlone = false;
    bool keepsValues = false;
    const std::vector<Map>& maps() const { return maps_; }
    const std::vector<Write>& writes() const { return writes_; }
    const std::vector<Values>& values() const { return values_; } ///< as they came; empty unless keepsValues
    /// (T,D): what the last norm makes of the stream after the embedding and after each layer.
    const std::vector<Tensor>& depths() const { return depths_; }

    // Layers say what becomes of the stream.
    void begin(const Tensor& embedding); ///< (1,T,D)
    void enter(std::int64_t layer, const std::string& part) { layer_ = layer, part_ = part; }
    void write(std::int64_t layer, const std::string& part, const Tensor& x); ///< (1,T,D), to be joined
    /// stream <- kept stream + added (what was written since the last time)
    void join(double kept, double added);
    /// stream <- linear(stream) + bias (D); linear acts on each summand by itself.
    void pass(const std::function<Tensor(const Tensor&)>& linear, const Tensor& bias);

    void depth(std::int64_t layer, const Tensor& stream, const Tensor& normed); ///< (1,T,D)

    // The part that was entered says what it does.
    void output(const Tensor& z) { keep({ layer_, part_, false, z }); } ///< (1,T,D), before its mixing weight
    void hidden(const Tensor& x) { keep({ layer_, part_, true, x }); } ///< (1,T,F)
    /// Scores q k as they stand, inside chunks of `span` tokens if that is not 0: q (1,T,Hq,dh), k (1,T,Hkv,dh).
    void softmax(const Tensor& q, const Tensor& k, std::int64_t span);
    void features(const Tensor& q, const Tensor& k); ///< positive ones: (H,T,F)
    /// Channels K u + skip u: u (R,T,h), whose rows R run through the same state spaces.
    void stateSpace(const DiagonalSsm& ssm, const Tensor& skip, const Tensor& u);
    void recurrence(const Tensor& a, const Tensor& b); ///< h_t = a_t h_{t-1} + b_t, a >= 0: (1,T,C)

private:
    void show(const Tensor& parts); ///< (H,T,T), not negative
    void keep(Values values);

    std::int64_t layer_ = -1;
    std::string part_;
    std::vector<Map> maps_;
    std::vector<Write> writes_;
    std::vector<Tensor> depths_;
    std::vector<Values> values_;
    std::size_t joined_ = 0; ///< of writes_
};

} // namespace pha

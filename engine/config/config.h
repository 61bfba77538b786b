// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/config/families.h"
#include "engine/config/field.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pha {

/// The shape of a network. Plain data; copied into the run, never shared with it. models.md section numbers in
/// brackets.
struct ModelConfig {
    std::string family = "pha"; ///< what a layer is made of: families.h
    std::int64_t vocabulary = 4096; ///< V; set from the tokenizer when a run starts
    std::int64_t layers = 4; ///< L
    std::int64_t width = 128; ///< D
    std::string branches = "gss,attention,ffn"; ///< the set of branches in the mix of a family that has one
    std::string prunedBranches; ///< "2:attention,3:ffn": parts of layers that are neither stored nor computed

    std::int64_t queryHeads = 4, kvHeads = 1; ///< Hq, Hkv; head width is width / queryHeads
    std::string qkMode = "cosine"; ///< cosine | dot | qknorm [2.4]
    double ropeBase = 10000;
    std::string positions = "rope"; ///< rope | learned | none: how attention knows positions
    std::int64_t maxPositions = 1024; ///< learned: rows of the table, the longest text
    std::int64_t attentionSpan = 0; ///< W: attention inside chunks of W tokens that do not overlap; 0 = all before [6]
    std::string attentionLayers; ///< "1,8": layers of gss-hybrid and h3 with attention; empty = rule of [19.19]

    std::string gssKind = "mehta"; ///< mehta | gated_rec [1.7]
    std::string gssKernel = "s4d"; ///< dss | s4d [3.2, 3.3]
    std::int64_t gssExpand = 512; ///< E
    std::int64_t gssWidth = 32; ///< h, channels of the SSM
    std::int64_t gssState = 32; ///< N: complex states for dss, real size (N/2 pairs) for s4d
    std::string gssInit = "lin"; ///< s4d: lin | inv
    std::string gssScale = "zoh"; ///< dss: zoh | none
    std::string gssConvolution = "auto"; ///< auto | chunked | fft; equal results, different cost
    std::int64_t gssHidden = 340; ///< Hs of gated_rec
    bool gssFilter = true; ///< gated_rec: the feature filter z

    std::int64_t h3State = 64; ///< N of both state spaces of H3: length of the shift, real size of the diagonal one [8]
    std::int64_t h3HeadWidth = 1; ///< d1, width of the heads of H3
    std::string featureMap = "softmax"; ///< Hedgehog: softmax | exp [9]

    std::int64_t auxWidth = 96; ///< F of the auxiliary SwiGLU inside the mix
    std::int64_t mainWidth = 256; ///< F of the main feed-forward network; 0 removes it and its norm
    std::string ffnKind = "swiglu"; ///< swiglu | gelu | gelu_tanh | relu2: the main network [2.5]

    std::string mixMode = "softplus"; ///< [5.3]
    std::string residualMode = "prenorm"; ///< [5.2]
    std::string normKind = "rmsnorm"; ///< rmsnorm | layernorm: the norms of the residual stream [2.1]
    bool biases = false; ///< in the linear maps of attention, feed-forward and H3
    bool branchNormAffine = false; ///< learn the gains of the branch norms
    std::string embeddingScale = "sqrt_width"; ///< sqrt_width | one [19.2]
    bool zeroInit = false; ///< main FFN's output projection starts at zero [2.6]

    template <class Self, class Visit> static void fields(Self& c, Visit&& visit);
    /// Cross-field rules (width divisible by heads, even head width, known branches). Throws ConfigError.
    void validate() const;

    std::int64_t headWidth() const { return width / queryHeads; }
    std::vector<std::string> mixBranches() const; ///< the field `branches` in the order of engine/config/parts.h
    std::vector<std::string> branchList() const; ///< what layers mix; empty for a family without a mix
};

/// Where the text comes from.
struct DataConfig {
    std::string data = "stories"; ///< built-in name or path
    std::string textField = "text"; ///< of JSON lines the field, of Parquet the column that holds the text
    std::string tokenizer = "auto"; ///< auto | unigram | bpe | bytes | path of a model, or a folder with GPT-2's files
    std::int64_t vocabSize = 1024; ///< pieces of a tokenizer that has to be trained
    bool byteFallback = true; ///< a tokenizer that has to be trained spells unknown characters as bytes
    std::int64_t dataSeed = 1; ///< seed of procedural corpora

    // Synthetic tasks [13]; 0 takes the task's own size.
    std::int64_t taskLength = 0, taskPairs = 0, taskSymbols = 0; ///< T, K, V
    std::int64_t taskExamples = 0; ///< size of the training set; 0: never the same example twice
    double taskPower = 0.01; ///< mqar: a, how strongly queries gather behind the pairs
    bool taskNoise = false; ///< mqar: random symbols instead of the blank between queries

    bool operator==(const DataConfig&) const = default;
    template <class Self, class Visit> static void fields(Self& c, Visit&& visit);
    void validate() const;
};

/// What one training run does.
struct TrainingConfig {
    std::int64_t steps = 1000; ///< optimiser updates, not micro-batches
    std::int64_t batchSize = 8; ///< sequences per micro-batch
    std::int64_t context = 256; ///< T, tokens per sequence
    std::int64_t accumulate = 1; ///< micro-batches per update
    std::int64_t seed = 1;

    std::string optimizer = "adamw"; ///< adamw | muon [14.5]
    double learningRate = 3e-3; ///< peak
    double minLearningRate = 0.1; ///< floor as a share of the peak
    std::int64_t warmupSteps = 50;
    std::string schedule = "cosine"; ///< cosine | wsd | plateau | constant
    double decayShare = 0.3; ///< wsd: share of the steps that decay
    double plateauFactor = 0.75;
    std::int64_t plateauPatience = 3;
    double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
    double weightDecay = 0.1; ///< matrices only
    double ssmLearningRate = 1e-3; ///< cap for a, b, A, log_dt
    double mixLearningRate = 1; ///< multiplier for mixing parameters
    double muonLearningRate = 0.02, muonMomentum = 0.95, muonWeightDecay = 0.01; ///< of the hidden matrices
    double clip = 1; ///< largest allowed gradient norm, 0 = off
    std::int64_t batchRamp = 0; ///< updates over which the micro-batches grow from 1 to `accumulate`; 0 = off
    double dropout = 0;
    double embeddingDropout = -1; ///< -1: as `dropout`

    double entropyBonus = 0; ///< lambda_H [5.4]
    double priorWeight = 0; ///< lambda of KL(w || prior)
    std::string prior = "0.47,0.31,0.22";
    double branchDropout = 0;
    double attentionCost = 0; ///< lambda_c

    std::int64_t averageKeep = 0, averageTake = 3; ///< best checkpoints kept, and how many of them are averaged [14.4]
    double emaDecay = 0, emaStart = 0.2; ///< 0 = off; share of the steps before it begins
    std::int64_t lawaCount = 0, lawaEvery = 100; ///< mean of the last `lawaCount` weights, so many updates apart
    std::int64_t distillSteps = 0; ///< conversion: first updates, which train the feature maps alone [9]
    double distillLearningRate = 5e-2; ///< 0.05 to 0.1 came closest to softmax attention, 0.01 left twice the distance

    bool recompute = false; ///< keep what enters each layer and form the rest again in the backward pass
    std::string precision = "auto"; ///< auto | fp32 | bf16
    std::string device = "auto"; ///< auto | cpu | cuda
    std::int64_t devices = 1; ///< that share the rows of each micro-batch; every one holds all weights and moments
    std::int64_t threads = 0; ///< 0 = chosen by the program

    std::int64_t evalEvery = 100; ///< updates; 0 = off (as the next two)
    std::int64_t evalTokens = 16384; ///< tokens of the validation split that an intermediate evaluation scores
    std::int64_t saveEvery = 250;
    std::int64_t keepCheckpoints = 3; ///< newest ones kept beside the best
    std::int64_t sampleEvery = 250;
    std::int64_t mixEvery = 25; ///< mixing weights are logged every so many updates
    std::string samplePrompt; ///< empty: the corpus has its own
    std::int64_t autopsies = 20; ///< alerts of a run that say which texts and parts were behind them
    std::string skipData; ///< "8120+3": before update 8120 the data of 3 updates are passed over
    std::int64_t stopAfter = 0; ///< leave with a checkpoint after this many updates in this process; 0 = off

    std::int64_t microBatches(std::int64_t step) const; ///< of update `step` (0-based)
    struct Skip {
        std::int64_t before = 0, updates = 0; ///< 1-based; how many updates' data
    };
    std::vector<Skip> skips() const; ///< of skip_data. Throws ConfigError
    double totalTokens() const { return totalTokens(steps); } ///< of all updates
    double totalTokens(std::int64_t updates) const; ///< of the first so many

    template <class Self, class Visit> static void fields(Self& c, Visit&& visit);
    bool regularised() const ///< more than the text's loss is minimised
    {
        return entropyBonus > 0 || priorWeight > 0 || attentionCost > 0;
    }
    void validate() const;
};

/// A value as `--set` takes it: texts without quotes, 3 for 3.0.
std::string settingText(const Json& value);

/// Everything that defines a run; `run.json` holds it, the form edits it, `--set` changes it.
struct RunConfig {
    ModelConfig model;
    DataConfig data;
    TrainingConfig training;
    std::string preset; ///< where the shape came from, for display only

    /// Sets one field by its flat name from text. Throws ConfigError (unknown keys are errors and name the nearest
    /// key).
    void set(const std::string& key, const std::string& text);
    void setJson(const std::string& key, const Json& value);
    Json get(const std::string& key) const;
    /// {"model":{..},"data":{..},"training":{..}} with every field. `fromJson` accepts that form or one flat object,
    /// and leaves absent keys as they are in `base`. Unknown or duplicate keys and wrong types throw ConfigError.
    Json toJson() const;
    static RunConfig fromJson(const Json& json, const RunConfig& base);
    void validate() const;
};

/// All fields in display order, with the group ("model", "data", "training") that each belongs to.
struct GroupedField {
    std::string group;
    Field field;
};
const std::vector<GroupedField>& allFields();

// One preset = one row of models.md section 10.
// ------------------------------------------------------------------------
struct Preset {
    std::string name; ///< "pha-tiny"
    std::string summary; ///< one sentence on what it is
    RunConfig config; ///< a recipe that suits the size
};
const std::vector<Preset>& presets();
/// Throws ConfigError naming the nearest preset.
const Preset& findPreset(const std::string& name);

// Counting without building: models.md section 11. --------------------------------------------------------------------
struct ParameterPart {
    std::string part; ///< "embedding", "positions", `PartInfo::countedAs`, "norms", "mixing"
    std::int64_t count = 0;
};
struct ModelCosts {
    std::int64_t parameters = 0, trainable = 0;
    std::vector<ParameterPart> parts; ///< in the order of displays
    double forwardFlopsPerToken = 0; ///< multiply-add = 2, true causal average of attention at `context`
    double decodeFlopsPerToken = 0; ///< of a token that is written by itself and sees `context` tokens
    double headFlops = 0; ///< what the product with the vocabulary is of both
    double cacheElementsPerToken = 0; ///< K and V of all layers
    double fixedStateReals = 0; ///< states of fixed size of all layers
};
ModelCosts modelCosts(const ModelConfig& model, std::int64_t context);
/// Bytes that training needs on each device: weights, gradients, moments, activations (models.md 11.4), loss chunks.
double trainingBytes(const RunConfig& config);
/// Bytes of one checkpoint.
double checkpointBytes(const RunConfig& config);
/// The most that a run takes on its disk: checkpoints, and weights that wait for averages.
double diskBytes(const RunConfig& config);

} // namespace pha

#include "engine/config/config_fields.inl" // IWYU pragma: export

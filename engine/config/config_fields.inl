// SPDX-License-Identifier: GPL-3.0-or-later
// The field lists of config.h: name, section, label, help, range. Kept apart so that the structs read at a glance.
#pragma once

namespace pha {

template <class Self, class Visit> void ModelConfig::fields(Self& c, Visit&& visit)
{
    visit(Field::choice("family", "Shape", "Family", "What the layers are made of.", familyNames()), c.family);
    visit(Field::integer("vocabulary", "Shape", "Vocabulary", "Rows of the embedding. Set from the tokenizer when a run starts.", 2, 1 << 20), c.vocabulary);
    visit(Field::integer("layers", "Shape", "Layers", "Number of blocks.", 1, 512), c.layers);
    visit(Field::integer("width", "Shape", "Width", "Model width D of the residual stream.", 2, 65536), c.width);
    visit(Field::text("branches", "Mixing", "Branches", "Branches that run side by side and are mixed in the families pha and pha-lean: any of gss, attention, ffn, separated by commas."), c.branches);
    visit(Field::text("pruned_branches", "Mixing", "Pruned parts", "Parts of single layers that are left out for good, neither stored nor computed: LAYER:BRANCH, as in 2:attention, separated by commas. The others of a mix keep their weights, as when a branch is muted."), c.prunedBranches);
    visit(Field::choice("mix_mode", "Mixing", "Mixing weights", "How the learned weights of the branches are formed. softplus is the paper's; token modes depend on the input.", { "softplus", "softmax", "fixed", "channel_softmax", "sigmoid", "channel_sigmoid", "token", "token_sigmoid" }), c.mixMode);
    visit(Field::boolean("branch_norm_affine", "Mixing", "Branch-norm gains", "Learn a gain per channel in each branch norm. Off by default: a gain is redundant with the mixing weight and blurs its display."), c.branchNormAffine);
    visit(Field::integer("query_heads", "Attention", "Query heads", "Heads of the queries; the width must divide by it.", 1, 1024), c.queryHeads);
    visit(Field::integer("kv_heads", "Attention", "Key/value heads", "Heads of keys and values, shared by groups of query heads. Fewer heads make a smaller cache.", 1, 1024), c.kvHeads);
    visit(Field::choice("qk_mode", "Attention", "Scores", "cosine: normalised queries and keys with a learned temperature per head (PHA). dot: scaled dot product. qknorm: RMS-normalised.", { "cosine", "dot", "qknorm" }), c.qkMode);
    visit(Field::number("rope_base", "Attention", "RoPE base", "Base of the rotary position angles.", 1.0001, 1e12), c.ropeBase);
    visit(Field::choice("positions", "Attention", "Positions", "rope: rotated queries and keys. learned: a table added to the embedding, which bounds the length of a text. none: other parts tell positions.", { "rope", "learned", "none" }), c.positions);
    visit(Field::integer("max_positions", "Attention", "Learned positions", "positions learned: rows of the table, the longest text.", 1, 1 << 20), c.maxPositions);
    visit(Field::integer("attention_span", "Attention", "Span", "Attention stays inside chunks of so many tokens, which do not overlap; the cache holds one chunk. 0: everything before.", 0, 1 << 30), c.attentionSpan);
    visit(Field::text("attention_layers", "Attention", "Attention layers", "Layers of gss-hybrid and h3 that hold attention, counted from 0 and separated by commas. Empty: the second layer and the one after the middle."), c.attentionLayers);
    visit(Field::choice("gss_kind", "Gated state space", "GSS form", "mehta: the public GSS layer, which the paper's counts fit. gated_rec: the paper's equation 2 read literally.", { "mehta", "gated_rec" }), c.gssKind);
    visit(Field::choice("gss_kernel", "Gated state space", "SSM kernel", "dss: one set of complex states shared by all channels (paper shape). s4d: states per channel, much smaller state (made for hardware).", { "dss", "s4d" }), c.gssKernel);
    visit(Field::integer("gss_expand", "Gated state space", "Expanded width", "Width E at which the GSS branch gates.", 1, 1 << 20), c.gssExpand);
    visit(Field::integer("gss_width", "Gated state space", "SSM channels", "Reduced width h in which the state space runs.", 1, 1 << 20), c.gssWidth);
    visit(Field::integer("gss_state", "Gated state space", "State size", "N: complex states for dss, real size (N/2 conjugate pairs) for s4d.", 1, 65535), c.gssState);
    visit(Field::choice("gss_init", "Gated state space", "s4d initialisation", "Spectrum at the start: S4D-Lin or S4D-Inv.", { "lin", "inv" }), c.gssInit);
    visit(Field::choice("gss_scale", "Gated state space", "dss scale", "zoh: zero-order hold (DSS-EXP). none: DSS-EXP-NO-SCALE.", { "zoh", "none" }), c.gssScale);
    visit(Field::choice("gss_convolution", "Gated state space", "Convolution", "chunked: matrix products inside chunks, states between them. fft: Fourier transform. Both give the same result; auto takes the faster.", { "auto", "chunked", "fft" }), c.gssConvolution);
    visit(Field::integer("gss_hidden", "Gated state space", "Recurrence width", "Hs: width of the gated recurrence (gss_kind gated_rec).", 1, 1 << 20), c.gssHidden);
    visit(Field::boolean("gss_filter", "Gated state space", "Feature filter", "gated_rec: multiply the state by SiLU of a projection of the input."), c.gssFilter);
    visit(Field::integer("h3_state", "H3", "State size", "N: keys that the shift state space looks back at, and real size (N/2 conjugate pairs) of the diagonal one.", 2, 1 << 16), c.h3State);
    visit(Field::integer("h3_head_width", "H3", "Head width", "Channels of a head; keys and values of a head are multiplied pair by pair. 1 is the published form.", 1, 1024), c.h3HeadWidth);
    visit(Field::choice("feature_map", "Hedgehog", "Feature map", "Positive features that stand for the softmax: softmax of a learned map and of its negative, or their exponentials (the paper's form).", { "softmax", "exp" }), c.featureMap);
    visit(Field::integer("aux_width", "Feed-forward", "Auxiliary width", "Hidden width of the SwiGLU inside the mix (branch ffn).", 1, 1 << 20), c.auxWidth);
    visit(Field::integer("main_width", "Feed-forward", "Main width", "Hidden width of the feed-forward network that ends a layer; 0 leaves it out.", 0, 1 << 20), c.mainWidth);
    visit(Field::choice("ffn_kind", "Feed-forward", "Main form", "Form of the main feed-forward network; the branch ffn of a mix is always SwiGLU. gelu_tanh is GPT-2's approximation.", { "swiglu", "gelu", "gelu_tanh", "relu2" }), c.ffnKind);
    visit(Field::choice("residual_mode", "Block", "Residual form", "prenorm: x + f. prenorm_scaled: x + f/alpha. deepnorm_post: RMSNorm(alpha x + f). prenorm_alpha_literal: alpha x + f (for the record).", { "prenorm", "prenorm_scaled", "deepnorm_post", "prenorm_alpha_literal" }), c.residualMode);
    visit(Field::choice("norm_kind", "Block", "Norms", "Norms of the residual stream. Those inside a mix and inside GSS are always RMSNorm.", { "rmsnorm", "layernorm" }), c.normKind);
    visit(Field::boolean("biases", "Block", "Biases", "Add biases to the linear maps of attention, feed-forward networks and H3."), c.biases);
    visit(Field::choice("embedding_scale", "Block", "Embedding scale", "sqrt_width multiplies the embedding by the root of the width, as PHA does.", { "sqrt_width", "one" }), c.embeddingScale);
    visit(Field::boolean("zero_init", "Block", "Zero-initialised output", "Start the main feed-forward network's output projection at zero."), c.zeroInit);
}

template <class Self, class Visit> void DataConfig::fields(Self& c, Visit&& visit)
{
    visit(Field::text("data", "Data", "Data", "A built-in corpus (stories), a synthetic task (mqar, induction, copying), or the path of a text file or folder."), c.data);
    visit(Field::text("text_field", "Data", "Text field", "Of JSON lines the field, of Parquet the column that holds the text. Other texts have none."), c.textField);
    visit(Field::text("tokenizer", "Data", "Tokenizer", "auto trains one on the corpus (unigram); unigram or bpe: that kind; bytes: none, 256 ids; or the path of a .model file, of llm.c's gpt2_tokenizer.bin, of nanoGPT's meta.pkl, or of a folder with GPT-2's vocab.json and merges.txt. Tasks have their own symbols."), c.tokenizer);
    visit(Field::integer("vocab_size", "Data", "Tokenizer size", "Pieces of the sentencepiece tokenizer that is trained on the corpus.", 64, 1 << 17), c.vocabSize);
    visit(Field::boolean("byte_fallback", "Data", "Byte fallback", "A trained tokenizer spells characters without a piece as bytes, so that no text is lost. Without it they become one unknown piece."), c.byteFallback);
    visit(Field::integer("data_seed", "Data", "Data seed", "Seed of procedural corpora. The same seed gives the same text everywhere.", 0), c.dataSeed);
    visit(Field::integer("task_length", "Task", "Length", "T of a synthetic task, in symbols; sets the context length. 0 takes the task's own: mqar 64, induction 30, copying 256.", 0, 1 << 19), c.taskLength);
    visit(Field::integer("task_pairs", "Task", "Pairs", "K: key-value pairs to remember (mqar), symbols to copy (copying). 0 takes the task's own: 4 and 8.", 0, 1 << 17), c.taskPairs);
    visit(Field::integer("task_symbols", "Task", "Symbols", "V: vocabulary of a synthetic task. 0 takes the task's own: mqar 512, induction 20, copying 16.", 0, 1 << 17), c.taskSymbols);
    visit(Field::integer("task_examples", "Task", "Training examples", "Size of the training set of a synthetic task, read in a new order each epoch. 0 never shows the same example twice.", 0, 1 << 30), c.taskExamples);
    visit(Field::number("task_power", "Task", "Power", "mqar: a of the law by which queries gather soon after the pairs; 1 spreads them evenly.", 1e-6, 1), c.taskPower);
    visit(Field::boolean("task_noise", "Task", "Noise", "mqar: random symbols instead of the blank between the queries, which makes the task harder."), c.taskNoise);
}

template <class Self, class Visit> void TrainingConfig::fields(Self& c, Visit&& visit)
{
    visit(Field::integer("steps", "Length", "Steps", "Optimiser updates.", 1), c.steps);
    visit(Field::integer("batch_size", "Length", "Batch size", "Sequences per micro-batch.", 1, 65535), c.batchSize);
    visit(Field::integer("context", "Length", "Context length", "Tokens per sequence. Synthetic tasks set it to the length of an example.", 2, 1 << 20), c.context);
    visit(Field::integer("accumulate", "Length", "Accumulate", "Micro-batches whose gradients make one update.", 1, 65536), c.accumulate);
    visit(Field::integer("seed", "Length", "Seed", "Seed of initial weights, data order and dropout.", 0), c.seed);
    visit(Field::choice("optimizer", "Optimiser", "Optimiser", "adamw: AdamW for everything. muon: orthogonalised momentum for the hidden matrices, AdamW for the rest.", { "adamw", "muon" }), c.optimizer);
    visit(Field::number("learning_rate", "Optimiser", "Learning rate", "Peak learning rate.", 0, 10), c.learningRate);
    visit(Field::number("min_learning_rate", "Optimiser", "Lowest rate", "Learning rate at the end, as a share of the peak.", 0, 1), c.minLearningRate);
    visit(Field::integer("warmup_steps", "Optimiser", "Warm-up steps", "Updates over which the learning rate rises from zero to its peak.", 0), c.warmupSteps);
    visit(Field::choice("schedule", "Optimiser", "Schedule", "Course of the learning rate after the warm-up. wsd: constant, then linear decay. plateau: multiplied when validation stops improving.", { "cosine", "wsd", "plateau", "constant" }), c.schedule);
    visit(Field::number("decay_share", "Optimiser", "Decay share", "wsd: share of all steps over which the rate falls.", 0, 1), c.decayShare);
    visit(Field::number("plateau_factor", "Optimiser", "Plateau factor", "plateau: factor applied to the rate.", 0.01, 1), c.plateauFactor);
    visit(Field::integer("plateau_patience", "Optimiser", "Plateau patience", "plateau: evaluations without improvement before the factor is applied.", 0, 10000), c.plateauPatience);
    visit(Field::number("beta1", "Optimiser", "Beta 1", "Decay of the gradient mean.", 0, 0.99999), c.beta1);
    visit(Field::number("beta2", "Optimiser", "Beta 2", "Decay of the squared gradient mean.", 0, 0.9999999), c.beta2);
    visit(Field::number("epsilon", "Optimiser", "Epsilon", "Added to the root of the second moment.", 1e-16, 1), c.epsilon);
    visit(Field::number("weight_decay", "Optimiser", "Weight decay", "Decoupled weight decay, on matrices only.", 0, 10), c.weightDecay);
    visit(Field::number("ssm_learning_rate", "Optimiser", "SSM rate cap", "State-space parameters use at most this learning rate.", 0, 10), c.ssmLearningRate);
    visit(Field::number("mix_learning_rate", "Optimiser", "Mixing rate factor", "Learning rate of the mixing parameters as a multiple of the others'.", 0, 1000), c.mixLearningRate);
    visit(Field::number("muon_learning_rate", "Optimiser", "Muon learning rate", "muon: peak learning rate of the hidden matrices; follows the same schedule.", 0, 10), c.muonLearningRate);
    visit(Field::number("muon_momentum", "Optimiser", "Muon momentum", "muon: decay of the gradient mean (Nesterov).", 0, 0.99999), c.muonMomentum);
    visit(Field::number("muon_weight_decay", "Optimiser", "Muon weight decay", "muon: decoupled weight decay of the hidden matrices.", 0, 10), c.muonWeightDecay);
    visit(Field::integer("batch_ramp", "Optimiser", "Batch ramp", "Updates over which the batch grows from one micro-batch to all of accumulate; 0 turns it off.", 0, 10000000), c.batchRamp);
    visit(Field::number("clip", "Optimiser", "Gradient clip", "Largest gradient norm; larger gradients are scaled down. 0 turns it off.", 0, 1e9), c.clip);
    visit(Field::number("dropout", "Regularisation", "Dropout", "After the embedding and on each residual update.", 0, 0.95), c.dropout);
    visit(Field::number("embedding_dropout", "Regularisation", "Embedding dropout", "After the embedding alone; -1 takes the value of dropout.", -1, 0.95), c.embeddingDropout);
    visit(Field::number("entropy_bonus", "Regularisation", "Entropy bonus", "Rewards even mixing weights at the start; falls to zero by half of training.", 0, 10), c.entropyBonus);
    visit(Field::number("prior_weight", "Regularisation", "Prior weight", "Strength of the pull of the mixing weights towards the prior (KL).", 0, 10), c.priorWeight);
    visit(Field::text("prior", "Regularisation", "Prior", "Target mixing weights of the branches, separated by commas."), c.prior);
    visit(Field::number("branch_dropout", "Regularisation", "Branch dropout", "Chance per layer and sequence to drop one branch and renormalise the others.", 0, 0.5), c.branchDropout);
    visit(Field::number("attention_cost", "Regularisation", "Attention cost", "Penalty on the mean mixing weight of attention: pushes towards the linear branch.", 0, 10), c.attentionCost);
    visit(Field::integer("average_keep", "Averaging", "Best weights kept", "Keep the weights of so many evaluations with the lowest validation loss; at the end the best of them are averaged. 0 turns it off, the paper keeps 5.", 0, 100), c.averageKeep);
    visit(Field::integer("average_take", "Averaging", "Best weights averaged", "How many of the kept weights the average takes; the paper takes 3.", 1, 100), c.averageTake);
    visit(Field::number("ema_decay", "Averaging", "EMA decay", "Decay per update of an exponential moving average of the weights, such as 0.999; 0 turns it off.", 0, 0.999999), c.emaDecay);
    visit(Field::number("ema_start", "Averaging", "EMA start", "Share of all steps after which the moving average begins.", 0, 1), c.emaStart);
    visit(Field::integer("lawa_count", "Averaging", "LAWA weights", "At the end average the last so many weights, equally spaced; 0 turns it off.", 0, 100), c.lawaCount);
    visit(Field::integer("lawa_every", "Averaging", "LAWA spacing", "Updates between the weights that LAWA averages.", 1), c.lawaEvery);
    visit(Field::integer("distill_steps", "Conversion", "Distillation steps", "Conversion of a softmax model: so many of the first updates train the feature maps alone to give its attention weights.", 0), c.distillSteps);
    visit(Field::number("distill_learning_rate", "Conversion", "Distillation rate", "Learning rate of the feature maps while they alone learn.", 0, 10), c.distillLearningRate);
    visit(Field::boolean("recompute", "Machine", "Recompute layers", "Keep only what enters each layer, and attention's results, and form the rest again in the backward pass: far less memory, about a quarter more time. Without effect beside entropy_bonus, prior_weight and attention_cost."), c.recompute);
    visit(Field::choice("precision", "Machine", "Precision", "Matrix precision; master weights are always fp32. auto measures at the start.", { "auto", "fp32", "bf16" }), c.precision);
    visit(Field::choice("device", "Machine", "Device", "Where tensors live.", { "auto", "cpu", "cuda" }), c.device);
    visit(Field::integer("devices", "Machine", "Devices", "Cards that share the sequences of each micro-batch and add up their gradients; the run's course is the same but for rounding, dropout's masks, and entropy_bonus and prior_weight beside token mixing, which each card takes over its own sequences. On a processor: groups of threads, which gain nothing.", 1, 64), c.devices);
    visit(Field::integer("threads", "Machine", "Threads", "CPU threads; 0 lets the program choose.", 0, 1024), c.threads);
    visit(Field::integer("eval_every", "Intervals", "Evaluate every", "Updates between evaluations on the validation split; 0 = only at the end.", 0), c.evalEvery);
    visit(Field::integer("eval_tokens", "Intervals", "Evaluation tokens", "Tokens that an evaluation during training scores; 0 = the whole split.", 0), c.evalTokens);
    visit(Field::integer("save_every", "Intervals", "Checkpoint every", "Updates between checkpoints; 0 = only at the end.", 0), c.saveEvery);
    visit(Field::integer("keep_checkpoints", "Intervals", "Checkpoints kept", "Newest checkpoints that stay, beside the best one.", 1, 100000), c.keepCheckpoints);
    visit(Field::integer("sample_every", "Intervals", "Sample every", "Updates between generated samples; 0 = only at the end.", 0), c.sampleEvery);
    visit(Field::integer("mix_every", "Intervals", "Mixing every", "Updates between records of the mixing weights.", 1), c.mixEvery);
    visit(Field::text("sample_prompt", "Intervals", "Sample prompt", "Text that samples continue; empty takes the corpus's own."), c.samplePrompt);
    visit(Field::integer("autopsies", "Intervals", "Autopsies", "Alerts of a run that are examined: the texts of the batch that cost most, the gradient of each part. At most one in 50 updates; 0 = none.", 0, 10000), c.autopsies);
    visit(Field::text("skip_data", "Intervals", "Data passed over", "8120+3 passes over the data of 3 updates before update 8120; several places are separated by commas. For a fork that goes around a bad batch."), c.skipData);
    visit(Field::integer("stop_after", "Intervals", "Stop after", "Leave with a checkpoint after so many updates in this process; 0 = off.", 0), c.stopAfter);
}

} // namespace pha

// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/piece_library.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

namespace pha {

namespace {

class Processor final : public PieceLibrary::Model {
public:
    bool load(const std::string& serialised) { return processor_.LoadFromSerializedProto(serialised).ok(); }
    bool encode(std::string_view text, std::vector<int>& ids) const override
    {
        return processor_.Encode(text, &ids).ok();
    }
    bool decode(const std::vector<int>& ids, std::string& text) const override
    {
        return processor_.Decode(ids, &text).ok();
    }

private:
    sentencepiece::SentencePieceProcessor processor_;
};

class Sentences final : public sentencepiece::SentenceIterator {
public:
    explicit Sentences(const std::function<const std::string*()>& next)
        : next_(next)
        , now_(next())
    {
    }
    bool done() const override { return !now_; }
    void Next() override { now_ = next_(); }
    const std::string& value() const override { return *now_; }
    sentencepiece::util::Status status() const override { return {}; }

private:
    const std::function<const std::string*()>& next_;
    const std::string* now_;
};

class Library final : public PieceLibrary {
public:
    std::unique_ptr<Model> load(const std::string& serialised) override
    {
        auto model = std::make_unique<Processor>();
        if (!model->load(serialised)) return nullptr;
        return model;
    }
    std::string train(const std::unordered_map<std::string, std::string>& options,
        const std::function<const std::string*()>& next, std::string& model) override
    {
        Sentences sentences(next);
        const auto status = sentencepiece::SentencePieceTrainer::Train(options, &sentences, &model);
        return status.ok() ? std::string() : status.ToString();
    }
};

} // namespace

} // namespace pha

extern "C" pha::PieceLibrary* pha_create_piece_library()
{
    return new pha::Library; // lives until the process ends
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/documents.h"

#include "engine/base/text.h"
#include "engine/data/encoding.h"

namespace pha {

namespace {

constexpr std::size_t titleBytes = 60;

/// " = Robert Boulter = ", but not the heading of a section, " = = Career = = ".
bool isTitle(std::string_view line)
{
    return line.size() > 4 && line.starts_with("= ") && line.ends_with(" =") && !line.starts_with("= = ");
}

std::string shortened(std::string_view line)
{
    std::string title(line.substr(0, titleBytes));
    while (!title.empty() && !validUtf8(title)) title.pop_back();
    return title;
}

/// Collects all kinds of documents line by line; which kind counts is known at the end.
class FormReader {
public:
    /// `begin` is the first token that lies wholly behind the line before.
    void takeLine(std::string_view whole, std::int64_t begin)
    {
        const auto line = trim(whole);
        for (const char* mark : { " @-@ ", " @,@ ", " @.@ " }) wikiText_ |= whole.find(mark) != std::string_view::npos;
        unknown_ |= whole.find("<unk>") != std::string_view::npos;
        if (line.empty()) {
            blankBefore_ = true;
            return;
        }
        if (afterMark_ >= 0) marked_.push_back({ afterMark_, shortened(line) });
        afterMark_ = -1;
        const auto title = shortened(isTitle(line) ? trim(line.substr(1, line.size() - 2)) : line);
        if (!known_.empty() && known_.back().title.empty()) known_.back().title = title;
        if (isTitle(line)) {
            titled_.push_back({ begin, title });
        } else if (titled_.empty()) {
            titled_.push_back({ begin, title }); // text before the first title
            untitledStart_ = true;
        }
        if (blankBefore_) separated_.push_back({ begin, shortened(line) });
        blankBefore_ = false;
    }

    /// A mark ends a document; `begin` is the token behind it. Documents without a line belong to the next one.
    void takeMark(std::int64_t begin)
    {
        if (afterMark_ < 0) afterMark_ = begin;
        blankBefore_ = true;
    }

    /// A document is known to begin at that token.
    void takeBegin(std::int64_t begin) { known_.push_back({ begin, {} }); }

    TextForm finish()
    {
        TextForm form;
        const bool marks = marked_.size() > 1;
        const bool titles = !marks && titled_.size() > (untitledStart_ ? 1u : 0u);
        wikiText_ |= titles;
        form.name = !wikiText_ ? "plain text" : unknown_ ? "WikiText with <unk>" : "WikiText, raw words";
        form.documents = std::move(!known_.empty() ? known_ : marks ? marked_ : titles ? titled_ : separated_);
        if (form.documents.empty()) form.documents.emplace_back();
        form.documents.front().begin = 0; // blank lines before it are its own
        return form;
    }

private:
    std::vector<TextDocument> titled_, separated_, marked_, known_;
    std::int64_t afterMark_ = 0; ///< where a document began of which no line was seen; -1: none did
    bool wikiText_ = false, unknown_ = false, blankBefore_ = true, untitledStart_ = false;
};

} // namespace

TextForm readTextForm(const Split& split, std::int64_t count, const Tokenizer& tokenizer)
{
    if (tokenizer.kind() == Tokenizer::Kind::Ids) return { "numbers of unknown text", { TextDocument() } };
    FormReader reader;
    std::string line;
    std::int64_t begin = 0;
    const auto mark = documentMark(tokenizer);
    auto known = split.documents.begin();
    for (std::int64_t i = 0; i < count; ++i) {
        for (; known != split.documents.end() && *known == i; ++known) {
            if (!line.empty()) reader.takeLine(line, begin);
            line.clear();
            begin = i;
            reader.takeBegin(i);
        }
        if (split.tokens[std::size_t(i)] == mark) {
            reader.takeLine(line, begin);
            reader.takeMark(i + 1);
            line.clear();
            begin = i + 1;
            continue;
        }
        for (const char c : tokenizer.piece(split.tokens[std::size_t(i)])) {
            if (c != '\n') {
                line += c;
                continue;
            }
            reader.takeLine(line, begin);
            line.clear();
            begin = i + 1;
        }
    }
    if (!line.empty()) reader.takeLine(line, begin);
    return reader.finish();
}

} // namespace pha

// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/tokenizer_sample.h"

#include "engine/base/utf8.h"
#include "engine/data/tokenizer_model.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace pha {

namespace {

constexpr std::size_t maxSample = std::size_t(6) << 20, sampleBlock = std::size_t(64) << 10; ///< bytes
constexpr std::size_t maxSentence = 2000; ///< bytes; the library skips longer ones
constexpr std::size_t maxRepeated = 100'000;
constexpr double enoughCoverage = 0.99995; ///< of the characters of the sample

/// Sentences of a long text: all of it, or blocks at even distances.
class Sample {
public:
    explicit Sample(std::string_view text)
    {
        const std::size_t blocks = maxSample / sampleBlock;
        if (text.size() <= maxSample) {
            add(text);
            return;
        }
        for (std::size_t i = 0; i < blocks; ++i) {
            auto begin = text.size() / blocks * i;
            while (begin < text.size() && (text[begin] & 0xC0) == 0x80) ++begin; // not inside a character
            add(text.substr(begin, sampleBlock));
        }
    }

    std::vector<std::string> sentences;

private:
    void add(std::string_view text)
    {
        for (std::size_t begin = 0; begin < text.size();) {
            auto end = std::min(text.find('\n', begin), text.size());
            if (end - begin > maxSentence) end = cut(text, begin);
            if (end > begin) sentences.push_back(clean(text.substr(begin, end - begin)));
            begin = end + (end < text.size() && text[end] == '\n');
        }
    }

    /// End of a sentence that would be too long: before its last space, or at least not inside a character.
    static std::size_t cut(std::string_view text, std::size_t begin)
    {
        const auto space = text.rfind(' ', begin + maxSentence);
        if (space != std::string_view::npos && space > begin) return space;
        auto end = begin + maxSentence;
        while ((text[end] & 0xC0) == 0x80) --end;
        return end;
    }

    /// Without what encoding never hands to sentencepiece: control characters, invalid bytes, its own mark for spaces.
    static std::string clean(std::string_view text)
    {
        std::string sentence;
        for (std::size_t at = 0; at < text.size();) {
            const auto step = stepUtf8(text.substr(at));
            const auto character = text.substr(at, step.length);
            const bool kept = step.valid && static_cast<unsigned char>(character[0]) >= ' ' && character != spaceMark;
            sentence += kept ? character : std::string_view(" ");
            at += step.length;
        }
        return sentence;
    }
};

/// The library takes its first pieces from what stands in two different words: one that always stands between the same
/// neighbours would never become a piece. So each word that is not rare stands once more before a full stop and a
/// comma.
void repeatWords(std::vector<std::string>& sentences)
{
    std::unordered_map<std::string_view, std::size_t> words; // views into the sentences
    for (const auto& sentence : sentences) {
        for (std::size_t begin = 0; begin < sentence.size();) {
            const auto end = std::min(sentence.find(' ', begin + 1), sentence.size());
            auto word = std::string_view(sentence).substr(begin, end - begin);
            while (!word.empty() && std::string_view(".,;:!?\"')").find(word.back()) != std::string_view::npos)
                word.remove_suffix(1);
            if (word.size() > 1 && word.size() < 64) ++words[word];
            begin = end;
        }
    }
    std::vector<std::string> common;
    for (const auto& [word, count] : words)
        if (count >= 3) common.emplace_back(word);
    std::sort(common.begin(), common.end()); // the same text gives the same model
    if (common.size() > maxRepeated) common.resize(maxRepeated);
    for (const auto& word : common) {
        sentences.push_back(word + ".");
        sentences.push_back(word + ",");
    }
}

/// How often each character stands in some text.
class CharacterCounts {
public:
    void add(std::string_view sentence)
    {
        for (std::size_t at = 0; at < sentence.size(); ++total) {
            const auto character = characterAt(sentence, at);
            if (character.size() == 1)
                ++single_[static_cast<unsigned char>(character[0])];
            else
                ++longer_[character];
            at += character.size();
        }
    }
    /// The most frequent characters, most frequent first, ties in the order of their bytes.
    std::vector<std::pair<std::size_t, std::string>> sorted() const
    {
        std::vector<std::pair<std::size_t, std::string>> list;
        for (std::size_t byte = 0; byte < single_.size(); ++byte)
            if (single_[byte] > 0) list.emplace_back(single_[byte], std::string(1, char(byte)));
        for (const auto& [character, count] : longer_) list.emplace_back(count, character);
        std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
        return list;
    }
    static std::string_view characterAt(std::string_view text, std::size_t at)
    {
        const auto byte = static_cast<unsigned char>(text[at]);
        return text.substr(at, byte < 0x80 ? 1 : stepUtf8(text.substr(at)).length);
    }
    std::size_t total = 0;

private:
    std::array<std::size_t, 256> single_ {};
    std::unordered_map<std::string_view, std::size_t> longer_; ///< views into the sentences
};

/// Leaves out the characters that are too rare to deserve a piece each, so that single characters take at most half of
/// the vocabulary; bytes spell them. (The library's own coverage option refuses to leave out more than two percent.)
void dropRareCharacters(std::vector<std::string>& sentences, std::size_t most)
{
    CharacterCounts counts;
    for (const auto& sentence : sentences) counts.add(sentence);
    const auto sorted = counts.sorted();
    std::array<bool, 256> keptSingle {};
    std::unordered_set<std::string> kept;
    std::size_t covered = 0, number = 0;
    for (const auto& [count, character] : sorted) {
        if (number == most || double(covered) >= enoughCoverage * double(counts.total)) break;
        if (character.size() == 1)
            keptSingle[static_cast<unsigned char>(character[0])] = true;
        else
            kept.insert(character);
        covered += count;
        ++number;
    }
    if (number == sorted.size()) return;
    for (auto& sentence : sentences) {
        std::string rest;
        for (std::size_t at = 0; at < sentence.size();) {
            const auto character = CharacterCounts::characterAt(sentence, at);
            const bool keep = character.size() == 1 ? keptSingle[static_cast<unsigned char>(character[0])]
                                                    : kept.contains(std::string(character));
            rest += keep ? character : std::string_view(" ");
            at += character.size();
        }
        sentence = std::move(rest);
    }
}

} // namespace

std::vector<std::string> tokenizerSentences(const std::string& text, std::size_t mostCharacters)
{
    auto sentences = Sample(text).sentences;
    dropRareCharacters(sentences, mostCharacters);
    const bool blank = std::all_of(sentences.begin(), sentences.end(),
        [](const std::string& sentence) { return sentence.find_first_not_of(' ') == std::string::npos; });
    if (blank) return {};
    repeatWords(sentences);
    return sentences;
}

} // namespace pha

// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/meta_pickle.h"

#include "engine/base/error.h"
#include "engine/data/tokenizer.h"

#include <cstdint>
#include <map>
#include <variant>

namespace pha {

namespace {

/// A dictionary is its index in `Reader::dictionaries_`, so that one inside itself harms nobody.
struct DictionaryIndex {
    std::size_t index = 0;
};
struct Mark { };
using Value = std::variant<Mark, std::int64_t, std::string, DictionaryIndex>;
using Key = std::variant<std::int64_t, std::string>;
using Dictionary = std::map<Key, Value>;

/// The operations of Python's pickletools that a dictionary of texts and numbers takes.
enum Operation : unsigned char {
    Protocol = 0x80,
    ShortText = 0x8C,
    Memoize = 0x94,
    Frame = 0x95,
    BeginItems = '(',
    Stop = '.',
    Number4 = 'J',
    Number1 = 'K',
    Number2 = 'M',
    Text = 'X',
    Recall1 = 'h',
    Recall4 = 'j',
    Keep1 = 'q',
    Keep4 = 'r',
    SetItem = 's',
    SetItems = 'u',
    NewDictionary = '}'
};

class Reader {
public:
    Reader(std::string_view bytes, const std::string& where)
        : bytes_(bytes)
        , where_(where)
    {
    }

    std::vector<std::string> characters()
    {
        while (step()) { }
        if (at_ != bytes_.size() || stack_.size() != 1) fail("does not end where it should");
        const auto& top = dictionary(stack_.front());
        const auto &size = member(top, "vocab_size"), &texts = member(top, "itos"), &ids = member(top, "stoi");
        if (top.size() != 3) fail("holds more than vocab_size, itos and stoi");
        const auto* count = std::get_if<std::int64_t>(&size);
        const auto& byId = dictionary(texts);
        const auto& byText = dictionary(ids);
        if (!count || *count != std::int64_t(byId.size()) || byId.size() != byText.size())
            fail("its vocab_size, itos and stoi do not agree");
        std::vector<std::string> list;
        for (const auto& [key, value] : byId) { // numbers come in their order
            const auto* id = std::get_if<std::int64_t>(&key);
            const auto* text = std::get_if<std::string>(&value);
            if (!id || *id != std::int64_t(list.size()) || !text) fail("its itos is not a text for each number from 0");
            const auto back = byText.find(*text);
            const auto* same = back == byText.end() ? nullptr : std::get_if<std::int64_t>(&back->second);
            if (!same || *same != *id) fail("its itos and stoi do not agree");
            list.push_back(*text);
        }
        return list;
    }

private:
    [[noreturn]] void fail(const std::string& reason) const
    {
        throw DataError(where_, reason + " (only nanoGPT's plain dictionaries are read, nothing in a pickle is run)",
            "make it again with nanoGPT's prepare.py, or remove it");
    }

    std::uint64_t number(int bytes)
    {
        std::uint64_t value = 0;
        const auto part = take(std::size_t(bytes));
        for (int i = 0; i < bytes; ++i)
            value |= std::uint64_t(static_cast<unsigned char>(part[std::size_t(i)])) << (8 * i);
        return value;
    }
    std::string_view take(std::uint64_t count)
    {
        if (count > bytes_.size() - at_) fail("is cut short");
        const auto part = bytes_.substr(at_, std::size_t(count));
        at_ += std::size_t(count);
        return part;
    }
    void pushText(std::uint64_t length)
    {
        const auto text = take(length);
        if (!validUtf8(text)) fail("has a text that is not UTF-8");
        stack_.emplace_back(std::string(text));
    }
    Value pop()
    {
        if (stack_.empty()) fail("is no pickle");
        auto value = std::move(stack_.back());
        stack_.pop_back();
        return value;
    }
    Value& top()
    {
        if (stack_.empty()) fail("is no pickle");
        return stack_.back();
    }
    Dictionary& dictionary(const Value& value)
    {
        const auto* found = std::get_if<DictionaryIndex>(&value);
        if (!found) fail("has something else where a dictionary should be");
        return dictionaries_[found->index];
    }
    const Value& member(const Dictionary& from, const char* name) const
    {
        const auto found = from.find(Key(std::string(name)));
        if (found == from.end()) fail(std::string("has no ") + name);
        return found->second;
    }
    void keep(std::uint64_t index)
    {
        if (index != memory_.size()) fail("keeps its values in an unusual order");
        memory_.push_back(top());
    }
    void recall(std::uint64_t index)
    {
        if (index >= memory_.size()) fail("recalls what it never kept");
        stack_.push_back(memory_[std::size_t(index)]);
    }
    Key asKey(Value value) const
    {
        if (auto* id = std::get_if<std::int64_t>(&value)) return *id;
        if (auto* text = std::get_if<std::string>(&value)) return std::move(*text);
        fail("has a key that is no text and no number");
    }
    void setItem()
    {
        auto value = pop();
        auto key = asKey(pop());
        dictionary(top()).insert_or_assign(std::move(key), std::move(value));
    }
    void setItems()
    {
        std::vector<Value> items;
        for (auto value = pop(); !std::holds_alternative<Mark>(value); value = pop()) items.push_back(std::move(value));
        if (items.size() % 2 != 0) fail("has a key without a value");
        auto& into = dictionary(top());
        for (; !items.empty(); items.resize(items.size() - 2))
            into.insert_or_assign(asKey(std::move(items.back())), std::move(items[items.size() - 2]));
    }

    /// False after the last operation.
    bool step()
    {
        const auto at = at_;
        switch (static_cast<unsigned char>(take(1)[0])) {
        case Protocol:
            if (const auto version = number(1); at != 0 || version > 5) fail("is of an unknown protocol");
            break;
        case Frame:
            number(8);
            break;
        case NewDictionary:
            stack_.emplace_back(DictionaryIndex { dictionaries_.size() });
            dictionaries_.emplace_back();
            break;
        case BeginItems:
            stack_.emplace_back(Mark());
            break;
        case SetItem:
            setItem();
            break;
        case SetItems:
            setItems();
            break;
        case ShortText:
            pushText(number(1));
            break;
        case Text:
            pushText(number(4));
            break;
        case Number1:
            stack_.emplace_back(std::int64_t(number(1)));
            break;
        case Number2:
            stack_.emplace_back(std::int64_t(number(2)));
            break;
        case Number4:
            stack_.emplace_back(std::int64_t(std::int32_t(number(4))));
            break;
        case Memoize:
            keep(memory_.size());
            break;
        case Keep1:
            keep(number(1));
            break;
        case Keep4:
            keep(number(4));
            break;
        case Recall1:
            recall(number(1));
            break;
        case Recall4:
            recall(number(4));
            break;
        case Stop:
            return false;
        default:
            fail("has an operation at byte " + std::to_string(at) + " that builds no plain dictionary");
        }
        return true;
    }

    std::string_view bytes_;
    const std::string& where_;
    std::size_t at_ = 0;
    std::vector<Value> stack_, memory_;
    std::vector<Dictionary> dictionaries_;
};

} // namespace

bool looksLikePickle(std::string_view bytes)
{
    return bytes.size() > 2 && static_cast<unsigned char>(bytes[0]) == Protocol && bytes[1] >= 2 && bytes[1] <= 5;
}

std::vector<std::string> readMetaPickle(std::string_view bytes, const std::string& where)
{
    return Reader(bytes, where).characters();
}

} // namespace pha

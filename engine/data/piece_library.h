// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pha {

/// sentencepiece behind a library of its own, opened with local symbols on first use. Distributions build it with a
/// copy of protobuf whose symbols are visible: in one namespace with the protobuf that LibTorch brings, either one
/// crashes.
class PieceLibrary {
public:
    class Model {
    public:
        virtual ~Model() = default;
        virtual bool encode(std::string_view text, std::vector<int>& ids) const = 0; ///< false: the library refused
        virtual bool decode(const std::vector<int>& ids, std::string& text) const = 0;
    };
    virtual ~PieceLibrary() = default;
    /// Null if the library cannot read the serialised model.
    virtual std::unique_ptr<Model> load(const std::string& serialised) = 0;
    /// Trains on the sentences that `next` returns until it returns null. -> the library's complaint, empty if `model`
    /// is good.
    virtual std::string train(const std::unordered_map<std::string, std::string>& options,
        const std::function<const std::string*()>& next, std::string& model) = 0;
};

/// Any thread. Throws Error if the library cannot be opened.
PieceLibrary& pieceLibrary();

} // namespace pha

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdexcept>
#include <string>

namespace pha {

/// Exit codes of `pha`, which are also how the window decides between "wrong input" and "something broke".
enum class ExitCode { Done = 0, Failed = 1, Usage = 2, Diverged = 4 };

/// Every error a person can meet: one sentence on what is wrong and where, one on what to do.
/// The boundary (command line, window) shows it as `WHAT; WHAT TO DO`.
class Error : public std::runtime_error {
public:
    Error(std::string what, std::string advice, ExitCode code = ExitCode::Failed)
        : std::runtime_error(what + "; " + advice)
        , what_(std::move(what))
        , advice_(std::move(advice))
        , code_(code)
    {
    }
    const std::string& problem() const noexcept { return what_; }
    const std::string& advice() const noexcept { return advice_; }
    ExitCode code() const noexcept { return code_; }

private:
    std::string what_, advice_;
    ExitCode code_;
};

/// A configuration value outside what its field accepts.
class ConfigError : public Error {
public:
    ConfigError(const std::string& field, const std::string& value, const std::string& expectation)
        : Error(field + " is " + (value.empty() ? "empty" : value), "expected " + expectation, ExitCode::Usage)
        , field_(field)
    {
    }
    const std::string& field() const noexcept { return field_; }

private:
    std::string field_;
};

/// A corpus, text file or tokenizer that cannot be used. `where` is a path or a data set's name.
class DataError : public Error {
public:
    DataError(const std::string& where, const std::string& reason, const std::string& advice)
        : Error(where + ": " + reason, advice, ExitCode::Usage)
    {
    }
};

/// A checkpoint or run directory that cannot be used.
class CheckpointError : public Error {
public:
    CheckpointError(const std::string& where, const std::string& reason, const std::string& advice)
        : Error(where + ": " + reason, advice, ExitCode::Usage)
    {
    }
};

/// The operating system refused a read or a write. Not the user's wording, but often the user's disk.
class IoError : public Error {
public:
    IoError(const std::string& path, const std::string& reason)
        : Error(path + ": " + reason, "check that the disk has room and the path may be written")
    {
    }
};

/// Training cannot go on: the loss or the gradient stayed non-finite.
class DivergedError : public Error {
public:
    DivergedError(std::string what, std::string advice)
        : Error(std::move(what), std::move(advice), ExitCode::Diverged)
    {
    }
};

} // namespace pha

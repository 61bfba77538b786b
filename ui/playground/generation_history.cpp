// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/playground/generation_history.h"

#include "ui/format.h"

#include <algorithm>

namespace pha::ui {

std::string vocabularyOf(const RunSession& session)
{
    const auto& environment = session.file().environment;
    const auto found = environment.find("tokenizer");
    return found != environment.end() && found->is_string() ? found->get<std::string>()
                                                            : fromPath(session.directory()).toStdString();
}

QString Writing::title() const
{
    std::string text;
    for (int i = std::max(given, 0); i < int(tokens.size()) && text.size() < 160; ++i) text += tokens[i].text;
    return QStringLiteral("#%1  %2").arg(number).arg(singleLine(fromUtf8(text)).simplified().left(80));
}

WritingPtr GenerationHistory::begin()
{
    auto writing = std::make_shared<Writing>();
    writing->number = ++count_;
    all_.push_back(writing);
    visit(writing);
    prune();
    return writing;
}

void GenerationHistory::visit(const WritingPtr& writing)
{
    if (writing == current_) return;
    if (std::find(all_.begin(), all_.end(), writing) == all_.end()) all_.push_front(writing); // it was pruned as oldest
    if (current_) back_.push_back(current_);
    forward_.clear();
    current_ = writing;
}

void GenerationHistory::undo()
{
    if (!canUndo()) return;
    forward_.push_back(current_);
    current_ = back_.back();
    back_.pop_back();
}

void GenerationHistory::redo()
{
    if (!canRedo()) return;
    back_.push_back(current_);
    current_ = forward_.back();
    forward_.pop_back();
}

void GenerationHistory::discard()
{
    std::erase(all_, current_);
    current_ = back_.empty() ? nullptr : back_.back();
    if (!back_.empty()) back_.pop_back();
}

void GenerationHistory::prune()
{
    qsizetype tokens = 0;
    for (const auto& w : all_) tokens += w->tokens.size();
    const auto tooMuch = [&] { return all_.size() > mostWritings || tokens > mostTokens; };
    while (tooMuch() && all_.size() > 1) {
        const auto oldest =
            std::find_if(all_.begin(), all_.end(), [this](const WritingPtr& w) { return w != current_; });
        const auto dropped = *oldest;
        tokens -= dropped->tokens.size();
        all_.erase(oldest);
        std::erase(back_, dropped);
        std::erase(forward_, dropped);
    }
}

} // namespace pha::ui

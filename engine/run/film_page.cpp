// SPDX-License-Identifier: GPL-3.0-or-later
// A film as one HTML page. Whatever comes from a run passes through plainHtml().
#include "engine/base/base64.h"
#include "engine/base/sha256.h"
#include "engine/run/film.h"
#include "engine/run/film_page_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace pha {

namespace {

constexpr double curveWidth = 800, curveHeight = 150, curveLeft = 40, curveBottom = 130, curveTop = 8;
constexpr std::size_t curvePoints = 400;
constexpr double surpriseShown = 8; ///< nats that have the full colour, as in the window

/// Text that a browser shows as it is, whatever it looks like. Control characters get signs that can be seen.
std::string plainHtml(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else if (c == '\'')
            out += "&#39;";
        else if (byte == 0x7F || (byte < 0x20 && c != '\n' && c != '\t'))
            out += std::string("\xE2\x90") + char(byte == 0x7F ? 0xA1 : 0x80 + byte); // U+2421, U+2400 ...
        else
            out += c;
    }
    return out;
}

std::string fixedText(double value, int decimals)
{
    if (std::isfinite(value) && std::abs(value) >= 1e9) return fmt::format("{:.3g}", value); // of a run that diverges
    return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : std::string("\xE2\x80\x93");
}

/// The loss of the training, thinned to means, and of the validation split over the steps.
class FilmCurve {
public:
    explicit FilmCurve(const FilmRows& rows)
    {
        for (const auto& e : rows.evals)
            if (isValidation(e) && std::isfinite(e.nll)) valid_.push_back({ double(e.step), e.nll });
        const auto n = rows.step.size(), each = std::max<std::size_t>(1, (n + curvePoints - 1) / curvePoints);
        for (std::size_t i = 0; i < n; i += each) {
            double sum = 0, count = 0;
            for (std::size_t k = i; k < std::min(n, i + each); ++k)
                if (std::isfinite(rows.loss[k])) sum += rows.loss[k], ++count;
            if (count > 0) train_.push_back({ rows.step[i], sum / count });
        }
        if (n > 0) last_ = std::max(last_, rows.step.back());
        if (!rows.samples.empty()) last_ = std::max(last_, double(rows.samples.back().step));
        for (const auto* line : { &train_, &valid_ })
            for (const auto& [step, value] : *line) low_ = std::min(low_, value), high_ = std::max(high_, value);
        if (!(high_ > low_)) high_ = low_ + 1;
    }
    double x(double step) const { return curveLeft + (curveWidth - curveLeft - 8) * step / last_; }
    std::string svg(const FilmRows& rows) const
    {
        if (train_.empty() && valid_.empty()) return {};
        auto out = fmt::format("<figure><svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Loss over the steps\">\n",
            curveWidth, curveHeight);
        for (const auto value : { low_, high_ })
            out += fmt::format(
                "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.2f}</text>\n", curveLeft - 6, y(value) + 4, value);
        out += fmt::format("<text x=\"{:.1f}\" y=\"146\">0</text><text x=\"{:.1f}\" y=\"146\" text-anchor=\"end\">"
                           "step {:.0f}</text>\n",
            x(0), x(last_), last_);
        out += line(train_, "--train") + line(valid_, "--valid");
        for (const auto& [step, value] : valid_)
            out += fmt::format(
                "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" style=\"fill: var(--valid)\"/>\n", x(step), y(value));
        for (const auto& sample : rows.samples)
            out += fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"130\" y2=\"135\" style=\"stroke: "
                               "var(--muted)\"/>\n",
                x(double(sample.step)));
        return out + cursor()
            + "</svg><figcaption>Loss in nats per token: training, and with dots validation. "
              "Marks: samples.</figcaption></figure>\n";
    }
    /// The script moves it; without a curve it is there, but not seen.
    static std::string cursor()
    {
        return fmt::format(
            "<line id=\"cursor\" x1=\"0\" x2=\"0\" y1=\"{}\" y2=\"{}\" style=\"stroke: var(--text)\"/>\n", curveTop,
            curveBottom + 5);
    }

private:
    using Points = std::vector<std::pair<double, double>>;
    double y(double value) const { return curveBottom - (curveBottom - curveTop) * (value - low_) / (high_ - low_); }
    std::string line(const Points& points, const char* colour) const
    {
        std::string places;
        for (const auto& [step, value] : points) places += fmt::format("{:.1f},{:.1f} ", x(step), y(value));
        return fmt::format("<polyline points=\"{}\" style=\"fill: none; stroke: var({})\"/>\n", places, colour);
    }
    Points train_, valid_;
    double last_ = 1, low_ = 1e300, high_ = -1e300;
};

/// What a bar shows of a branch: its share of the mix or, in a network without a mix, what it writes. A layer that
/// mixes nothing although the network does has no share to show.
double barValue(const LayerMix& layer, const BranchMix& branch, bool mixed)
{
    const double value = !mixed ? branch.contribution : layer.mixed ? branch.normalised : 0;
    return std::isfinite(value) ? std::max(0., value) : 0;
}

/// The value that fills a bar: the same in all frames, so that lengths can be compared.
double fullBar(const FilmRows& rows)
{
    double most = 1e-9;
    for (const auto& event : rows.mixing)
        for (const bool mixed = anyMixed(event.layers); const auto& layer : event.layers) {
            double sum = 0;
            for (const auto& branch : layer.branches) sum += barValue(layer, branch, mixed);
            most = std::max(most, sum);
        }
    return most;
}

std::string branchClass(const std::string& name)
{
    if (name == "gss" || name == "h3") return "gss";
    if (name == "attention" || name == "hedgehog") return "attention";
    return name == "ffn" ? "ffn" : "other";
}

std::string mixHtml(const MixingEvent& event, double full)
{
    const bool mixed = event.layers.empty() || anyMixed(event.layers);
    std::string out = fmt::format("<div class=\"mix\"><p class=\"note\">{} at step {}</p>\n",
        mixed ? "Mixing weights, share of each branch in its layer,"
              : "What each part writes, share of the residual stream,",
        event.step);
    for (std::size_t i = 0; i < event.layers.size(); ++i) {
        const auto& layer = event.layers[i];
        out += fmt::format("<div class=\"layer\"><span>L{}</span><div class=\"bar\">", i);
        for (const auto& branch : layer.branches) {
            if (mixed && !layer.mixed) break;
            const double value = barValue(layer, branch, mixed);
            const auto words = fmt::format("{} {:.0f} %", plainHtml(branch.branch), 100 * value);
            out += fmt::format("<i class=\"{}\" style=\"width: {:.2f}%\" title=\"{}\">{}</i>",
                branchClass(branch.branch), 100 * value / full, words, words);
        }
        out += "</div></div>\n";
    }
    return out + "</div>\n";
}

std::string tokenHtml(const SampleToken& token)
{
    const double p = std::isfinite(token.probability) ? std::clamp(token.probability, 0., 1.) : 0;
    const double surprise = -std::log(std::max(p, 1e-12));
    return fmt::format(
        "<span class=\"{}\" style=\"--p:{:.2f};--s:{:.2f}\" title=\"{:.1f} %, surprise {:.2f} nats, entropy "
        "{} nats\">{}</span>",
        p < 0.5 ? "l" : "h", 0.5 * std::pow(std::abs(2 * p - 1), 1.15),
        0.58 * std::pow(std::min(1., surprise / surpriseShown), 0.8), 100 * p, surprise, fixedText(token.entropy, 2),
        plainHtml(token.text));
}

std::string frameHtml(const FilmFrame& frame, const FilmCurve& curve, double full)
{
    const auto& s = *frame.sample;
    std::vector<std::string> figures;
    if (frame.loss) figures.push_back("loss " + fixedText(*frame.loss, 3));
    if (frame.valid)
        figures.push_back(fmt::format("validation {}, perplexity {}{}", fixedText(frame.valid->nll, 3),
            fixedText(frame.valid->perplexity, 2),
            frame.valid->step == s.step ? "" : fmt::format(" (of step {})", frame.valid->step)));
    if (const auto surprise = meanSurprise(s))
        figures.push_back(fmt::format("surprise {} nats a token", fixedText(*surprise, 2)));
    if (s.seed) figures.push_back(fmt::format("seed {}", *s.seed));
    auto out = fmt::format(
        "<section class=\"frame\" data-step=\"{}\" data-x=\"{:.1f}\">\n<h2>Step {} <small>{}</small></h2>\n", s.step,
        curve.x(double(s.step)), s.step, fmt::join(figures, " \xC2\xB7 "));
    out += "<p class=\"text\"><span class=\"prompt\">" + plainHtml(s.prompt) + "</span>";
    for (const auto& token : s.tokens) out += tokenHtml(token);
    if (s.tokens.empty()) out += plainHtml(s.text); // of a run that kept no figures of its tokens
    out += "</p>\n";
    if (frame.mixing) out += mixHtml(*frame.mixing, full);
    return out + "</section>\n";
}

/// The page may run its own script and load nothing: what a text brings along could do nothing even if it got through.
std::string policy()
{
    const auto hex = sha256Hex(filmScript);
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) bytes += char(std::stoi(hex.substr(i, 2), nullptr, 16));
    return fmt::format("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'", toBase64(bytes));
}

std::string controlsHtml(std::size_t frames)
{
    return fmt::format(
        "<div class=\"controls\" id=\"controls\" hidden>\n<button id=\"play\">Play</button>\n"
        "<input type=\"range\" id=\"slider\" min=\"0\" max=\"{0}\" value=\"{0}\" aria-label=\"Step\">\n"
        "<output id=\"now\" for=\"slider\"></output>\n"
        "<label>Speed <select id=\"speed\"><option value=\"1600\">slow</option>"
        "<option value=\"800\" selected>normal</option><option value=\"300\">fast</option></select></label>\n"
        "<label>Colours <select id=\"tint\"><option value=\"probability\">probability</option>"
        "<option value=\"surprise\">surprise</option><option value=\"none\">none</option></select></label>\n"
        "</div>\n",
        frames - 1);
}

} // namespace

std::string filmPage(const std::string& name, const FilmRows& rows)
{
    const auto title = plainHtml(name);
    const FilmCurve curve(rows);
    const auto chart = curve.svg(rows);
    const double full = fullBar(rows);
    std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    page += "<meta http-equiv=\"Content-Security-Policy\" content=\"" + policy() + "\">\n";
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" + title
        + "</title>\n<style>";
    page += filmStyle;
    page += "</style>\n</head>\n<body data-tint=\"probability\">\n<h1>" + title + "</h1>\n";
    page +=
        fmt::format("<p class=\"note\">One prompt, written on by the network at {} moments of its training. Arrow keys "
                    "step, Home and End jump, Space plays.</p>\n",
            rows.samples.size());
    page += controlsHtml(std::max<std::size_t>(1, rows.samples.size()));
    page += chart.empty() ? "<svg hidden>" + FilmCurve::cursor() + "</svg>\n" : chart;
    for (std::size_t i = 0; i < rows.samples.size(); ++i) page += frameHtml(filmFrame(rows, i), curve, full);
    page += "<script>";
    page += filmScript;
    return page + "</script>\n</body>\n</html>\n";
}

} // namespace pha

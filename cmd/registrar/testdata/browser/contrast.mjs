// contrasts runs in a page and returns the contrast of each text in it to what is behind
// it (WCAG 2.2 §1.4.3): colours of any notation, transparent ones, and opacity.
export function contrasts() {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })

  // rgba reads a colour by painting it.
  function rgba(color) {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
    return [r, g, b, a / 255]
  }

  const over = ([r, g, b, a], below) => [r, g, b].map((part, i) => part * a + below[i] * (1 - a))

  // page is the colour of the empty page in the present scheme.
  function page() {
    const probe = document.createElement('i')
    probe.style.color = 'Canvas'
    document.body.append(probe)
    const color = getComputedStyle(probe).color
    probe.remove()
    return rgba(color).slice(0, 3)
  }

  const ancestors = element => (element ? [...ancestors(element.parentElement), element] : [])

  function behind(element) {
    return ancestors(element).reduce((below, each) => over(rgba(getComputedStyle(each).backgroundColor), below), page())
  }

  const opacity = element => ancestors(element).reduce((all, each) => all * getComputedStyle(each).opacity, 1)

  function luminance(color) {
    const [r, g, b] = color.map(part => part / 255).map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }

  function ratio(element) {
    const below = behind(element)
    const [r, g, b, a] = rgba(getComputedStyle(element).color)
    const [high, low] = [over([r, g, b, a * opacity(element)], below), below].map(luminance).sort((x, y) => y - x)
    return (high + 0.05) / (low + 0.05)
  }

  const hasText = element => [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
  return [...document.querySelectorAll('body *')]
    .filter(element => hasText(element) || element.localName === 'input')
    .filter(element => element.checkVisibility())
    .map(element => ({ text: element.innerText || element.localName, ratio: ratio(element) }))
}
